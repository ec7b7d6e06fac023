"""The files of study rows: one JSON object a line, added as runs end."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StudyError
from ..files import REPOSITORY, short_hash, sole_holder, write_atomically
from ..tasks.task import data_dir

if TYPE_CHECKING:
    from torch import Tensor

CHECK = "check"
"""The key under which a line holds the hash of its row; older lines have none."""


def default_folder() -> Path:
    """Return where new rows go: ``data/results`` of the repository.

    Of an installed package, which has no repository: ``results`` in the working
    directory.
    """
    if (REPOSITORY / "data" / "tasks.toml").exists():
        return REPOSITORY / "data" / "results"
    return Path("results")


def stored_folder() -> Path:
    """Return the folder of the rows that come with the package."""
    return data_dir() / "results"


def read_rows(path: str | Path) -> list[dict]:
    """Read the rows of one file; a last line that was cut off is left out.

    Raises
    ------
    StudyError
        If a line before it is damaged, or was altered; names the line.
    """
    rows = []
    # As bytes, since the cut may lie inside a character. Only "\n" ends a row:
    # splitlines would also cut at odd characters inside one.
    for number, line in enumerate(Path(path).read_bytes().split(b"\n")[:-1], start=1):
        try:
            row = json.loads(line)
            row["key"]
        except (ValueError, KeyError, TypeError) as error:
            raise _not_usable(path, number, line, "is not a row") from error
        told = row.pop(CHECK, None)
        if told is not None and told != _check(row):
            raise _not_usable(path, number, line, "was altered")
        rows.append(row)
    return rows


def _not_usable(path: str | Path, number: int, line: bytes, what: str) -> StudyError:
    return StudyError(
        f"{path}, line {number} {what}: {line[:60]!r}. Take the line out and run the "
        "study again"
    )


def read_folder(folder: str | Path) -> dict[str, dict]:
    """Read all rows of a folder's files, by their key.

    Where two have one key, the first counts.

    Raises
    ------
    StudyError
        If a line of a file is damaged.
    """
    rows: dict[str, dict] = {}
    for path in sorted(Path(folder).glob("*.jsonl")):
        for row in read_rows(path):
            rows.setdefault(row["key"], row)
    return rows


def append_row(path: Path, row: dict) -> None:
    """Add a row to a file; a power cut costs at most this one row.

    Raises
    ------
    StudyError
        If the disk is full or the file cannot be written.
    """
    line = json.dumps(
        row | {CHECK: _check(row)},
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),  # a tenth less for rows that are mostly numbers
    )
    with _writing(path), open(path, "a", encoding="utf-8", newline="\n") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def _check(row: dict) -> str:
    """Return what tells a row from one that a failing disk or a slip has altered."""
    return short_hash(json.dumps(row))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StudyError(
            f"{path} cannot be written: {error.strerror or error}. The rows that were "
            "written are kept: free some space or take another folder, and run it again"
        ) from error


def table_path(folder: str | Path, key: str) -> Path:
    """Return where the tuned prompt embeddings of a row lie."""
    return Path(folder) / "tables" / f"{key}.safetensors"


def save_table(folder: str | Path, key: str, table: "Tensor") -> None:
    """Keep the prompt embeddings of a row, (num_virtual_tokens, token_dim).

    Raises
    ------
    StudyError
        If the disk is full or the folder cannot be written.
    """
    from safetensors.torch import save

    path = table_path(folder, key)
    with _writing(path), write_atomically(path) as temporary:
        temporary.write_bytes(save({"prompt_embeddings": table.contiguous()}))


def load_table(folder: str | Path, key: str) -> "Tensor":
    """Load the prompt embeddings of a row, (num_virtual_tokens, token_dim).

    Raises
    ------
    StudyError
        If there are none, or the file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = table_path(folder, key)
    try:
        return load_file(path)["prompt_embeddings"]
    except (OSError, SafetensorError, KeyError) as error:
        raise StudyError(
            f"no prompt embeddings of row {key} can be read from {path}: {error}"
        ) from error


def drop_torn_line(path: Path) -> None:
    """Cut off what follows the last line end, or the next row would join it."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with _writing(path), open(path, "r+b") as file:
            file.truncate(whole)


@contextmanager
def only_writer(path: Path):
    """Hold the lock on a file of rows, and make its folder.

    Two writers would do rows twice.

    Raises
    ------
    StudyError
        If another process, or another call, holds it, or the folder cannot be made.
    """
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with sole_holder(path) as alone:
        if not alone:
            raise StudyError(
                f"another process is writing {path}: wait until it has ended"
            )
        yield
