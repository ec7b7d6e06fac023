"""Rows from wherever they are: lists, tables, data sets and files, checked and as text.

``tasks.py`` makes a ``Task`` of what these functions give.
"""

import csv
import difflib
import io
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import DataError


def close(word: str, words: Iterable[str]) -> str:
    """ " Did you mean ...?" when some of ``words`` look like ``word``."""
    found = difflib.get_close_matches(word, list(words), n=3)
    return f" Did you mean {' or '.join(map(repr, found))}?" if found else ""


def read(split: str, source) -> list[dict]:
    """The rows of a list, DataFrame, Dataset or file as a list of dicts."""
    if isinstance(source, str | Path):
        source = read_file(split, Path(source))
    elif hasattr(source, "to_dict") and hasattr(source, "itertuples"):  # pandas
        source = source.to_dict("records")
    elif hasattr(source, "features") and hasattr(source, "to_list"):  # datasets
        source = source.to_list()
    rows = list(source)
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DataError(
                f"row {number} of {split} is {row!r}, not a dict like "
                '{"subject": "Osaka", "answer": "Japan"}.'
            )
    return rows


def read_file(split: str, path: Path) -> list:
    """What a .csv, .tsv, .jsonl or .json file lists; the values as they are written."""
    if not path.exists():
        raise DataError(f"{split}: there is no file {path}.")
    if path.suffix not in READERS:
        raise DataError(
            f"{split}: {path.name} is of no kind known here. "
            f"Use {', '.join(READERS)} (a list of objects)."
        )
    try:
        found = READERS[path.suffix](path.read_text(encoding="utf-8-sig"))
    except (ValueError, csv.Error) as error:  # of the text's encoding, too
        raise DataError(f"{split}: {path.name} cannot be read: {error}.") from error
    if not isinstance(found, list):
        raise DataError(f"{split}: {path.name} holds no list of objects.")
    return found


def _table(text: str, delimiter: str) -> list[dict]:
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    found = []
    for row in rows:
        if None in row or None in row.values():
            count = len(rows.fieldnames)
            raise ValueError(f"line {rows.line_num} has not {count} cells: {row}")
        found.append(row)
    return found


READERS = {
    ".csv": lambda text: _table(text, ","),
    ".tsv": lambda text: _table(text, "\t"),
    ".jsonl": lambda text: [json.loads(s) for s in text.split("\n") if s.strip()],
    ".json": json.loads,
}


def text_of(value) -> str | None:
    """A cell as text; None where it is missing, or holds no plain value."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # NumPy
        value = value.item()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        # pandas makes whole numbers float where one is missing.
        return str(int(value)) if value.is_integer() else str(value)
    return str(value) if isinstance(value, str | int) else None


def clean(split: str, source, answer_column: str, labels=None) -> list[dict[str, str]]:
    """Checked rows of text, the answer last and in the column ``answer``."""
    rows = read(split, source)
    if not rows:
        raise DataError(f"the {split} split is empty; leave it out or give it rows.")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if answer_column not in columns:
        raise DataError(
            f"no column {answer_column!r} in {split}.{close(answer_column, columns)} "
            f"It has: {', '.join(map(str, columns))}. "
            "Say which holds the answer: answer_column=..."
        )
    if answer_column != "answer" and "answer" in columns:
        raise DataError(
            f"{split} has a column 'answer' besides {answer_column!r}; rename one."
        )
    inputs = [
        column
        for column in columns
        if column != answer_column
        and any(text_of(row.get(column)) is not None for row in rows)
    ]
    if labels is None:
        labels = class_names(source, answer_column)
    words = _answers(split, rows, answer_column, labels)
    return [
        {str(column): text_of(row.get(column)) or "" for column in inputs}
        | {"answer": word}
        for row, word in zip(rows, words, strict=True)
    ]


def class_names(source, column: str) -> dict[int, str] | None:
    """What the numbers of a ``datasets.ClassLabel`` column mean, if it is one."""
    feature = getattr(source, "features", {}).get(column)
    names = getattr(feature, "names", None)
    return dict(enumerate(names)) if names else None


def _answers(split: str, rows: list[dict], column: str, labels) -> list[str]:
    raw = [text_of(row.get(column)) for row in rows]
    missing = [i for i, word in enumerate(raw) if not (word and word.strip())]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(rows)} rows in {split} have no answer in "
            f"{column!r}; the first is row {missing[0]}: {dict(rows[missing[0]])!r}."
        )
    words = [word.strip() for word in raw]
    if labels is None:
        return words
    meaning = {text_of(label): str(word).strip() for label, word in labels.items()}
    for number, word in enumerate(words):
        if word not in meaning:
            raise DataError(
                f"label {word!r} in row {number} of {split} is not in labels; "
                f"those are {', '.join(map(repr, meaning))}."
            )
    return [meaning[word] for word in words]


def check_inputs(split: str, rows: list[dict], inputs: list[str]) -> None:
    for column in inputs:
        if column not in rows[0]:
            there = ", ".join(rows[0])
            raise DataError(
                f"no column {column!r} in {split}, which the task has. "
                f"{split} has: {there}."
            )


def check_answers(split: str, rows: list[dict], answers: list[str]) -> None:
    known = set(answers)
    bad = [i for i, row in enumerate(rows) if row["answer"] not in known]
    if bad:
        raise DataError(
            f"{len(bad)} rows in {split} have an answer that is not one of the task's "
            f"{len(known)} answers; the first is {rows[bad[0]]['answer']!r} "
            f"in row {bad[0]}."
        )


def dataset(rows: list[dict[str, str]]):
    from datasets import Dataset  # takes a second: only when rows are there

    return Dataset.from_list(rows)
