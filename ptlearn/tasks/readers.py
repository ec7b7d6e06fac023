"""Files of rows: .csv, .tsv, .jsonl and .json. An error names the line."""

import csv
import io
import json
import re
import reprlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import DataError

LINE_END = r"(?:\r\n|\r|\n)"
SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a pair that stands for one character in UTF-16: no text by itself."""


def read_file(path: str | Path) -> list:
    """Return the rows of a file, with the values as they are written there.

    Parameters
    ----------
    path : str or Path
        ``.csv`` or ``.tsv`` with a header, ``.jsonl`` with one object a line, or
        ``.json`` with a list of objects. The text is UTF-8. Blank lines are skipped;
        in a table of one column, each is an empty cell, except at the file's end.

    Raises
    ------
    DataError
        If the file is not there, is of another kind, or cannot be read; the message
        names the line.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path} is not of a kind that can be read: use {', '.join(READERS)}."
        )
    return reader(_read_text(path), path.name)


def _read_text(path: Path) -> str:
    try:
        # As it is written: read_text would make "\n" of a line end within a cell.
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path.name}, line {line}: byte {error.object[error.start]:#04x} is not "
            "UTF-8. Save the file as UTF-8."
        ) from error
    if "\0" in text:
        raise DataError(
            f"{path.name}, line {_line(text, text.index(chr(0)))}: there is a NUL "
            "character, as in UTF-16 text. Save the file as UTF-8."
        )
    return text


def _read_table(text: str, name: str, delimiter: str) -> list[dict[str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines = [], []
    try:
        header = next(filter(None, reader), [])
        _refuse_equal_names(header, name)
        for cells in _records(reader, len(header)):
            if len(cells) != len(header):
                raise DataError(
                    f"{name}, line {reader.line_num}: the row has {len(cells)} cells, "
                    f"the header has {len(header)}."
                )
            rows.append(cells)
            lines.append(reader.line_num)
    except csv.Error as error:
        line = _line_of_broken_quote(text, delimiter)
        if line is None:
            raise DataError(f"{name}, line {reader.line_num}: {error}.") from error
        raise DataError(
            f"{name}, line {line}: a quote opens a cell here and is not closed at the "
            'cell\'s end. Inside a quoted cell, write "" for a quote.'
        ) from error
    _refuse_cells_without_a_name(header, zip(lines, rows, strict=True), name)
    return [dict(zip(header, cells, strict=True)) for cells in rows]


def _records(reader: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    """Yield the records below the header, without the lines that hold none.

    A blank line is no record, except where there is one column: there it is what an
    empty cell looks like. Only the last one may be a line that an editor added.
    """
    if width != 1:
        yield from filter(None, reader)
        return
    blank = False
    for cells in reader:
        if blank:
            yield [""]
        blank = not cells
        if cells:
            yield cells


def _refuse_equal_names(columns: list[str], name: str) -> None:
    for column in columns:
        if column and columns.count(column) > 1:
            raise DataError(f"{name} has two columns {column!r}: rename one.")


def _refuse_cells_without_a_name(
    header: list[str], rows: Iterable[tuple[int, list[str]]], name: str
) -> None:
    """Refuse several columns without a name, unless there is nothing in them.

    Spreadsheets append such columns, empty from top to bottom. A row is a dict: of
    several columns with the name "" it would keep only the last.
    """
    nameless = [place for place, column in enumerate(header) if not column]
    if len(nameless) < 2:
        return
    for line, cells in rows:
        for place in nameless:
            if cells[place]:
                columns = ", ".join(str(place + 1) for place in nameless)
                raise DataError(
                    f"{name} has no names for the columns {columns}, and line {line} "
                    f"has {reprlib.repr(cells[place])} in column {place + 1}: name "
                    "these columns in the header, or drop them."
                )


def _line_of_broken_quote(text: str, delimiter: str) -> int | None:
    """Return the line of the first cell that is neither plain nor quoted throughout."""
    # csv itself only says where it noticed, which may be at the end of the file.
    quoted, plain = r'"[^"]*(?:""[^"]*)*"', rf'(?!")[^{delimiter}\r\n]*'
    cell = re.compile(rf"(?:{quoted}|{plain})(?:{delimiter}|{LINE_END}|\Z)")
    place = 0
    while place < len(text):
        found = cell.match(text, place)
        if found is None:
            return _line(text, place)
        place = found.end()
    return None


def _read_lines_of_json(text: str, name: str) -> list:
    lines = enumerate(re.split(LINE_END, text), start=1)
    return [_parse_json(line, name, number) for number, line in lines if line.strip()]


def _read_json(text: str, name: str) -> list:
    found = _parse_json(re.sub(LINE_END, "\n", text), name, 1)
    if not isinstance(found, list):
        raise DataError(
            f'{name} does not hold a list of objects, such as [{{"text": "..."}}].'
        )
    return found


def _parse_json(text: str, name: str, first_line: int):
    try:
        found = json.loads(text, object_pairs_hook=_refuse_equal_keys)
        # Written whole only where half a character may be: most lines have none.
        if r"\ud" in text.lower() and SURROGATE.search(
            json.dumps(found, ensure_ascii=False)
        ):
            raise DataError("a text holds half of a character (\\ud800 to \\udfff)")
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        what = f"{error.msg} (column {error.colno})"
        raise DataError(f"{name}, line {line}: this is not JSON: {what}.") from error
    except (DataError, ValueError, RecursionError) as error:  # huge numbers, nesting
        raise DataError(f"{name}, line {first_line}: {error}.") from error
    return found


def _line(text: str, place: int) -> int:
    return len(re.findall(LINE_END, text[:place])) + 1


def _refuse_equal_keys(pairs: list[tuple]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DataError(f"the key {twice!r} stands twice in one object")
    return found


READERS = {
    ".csv": lambda text, name: _read_table(text, name, ","),
    ".tsv": lambda text, name: _read_table(text, name, "\t"),
    ".jsonl": _read_lines_of_json,
    ".json": _read_json,
}
