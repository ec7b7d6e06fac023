"""What the commands on your own data share, and ``ptlearn predict``: answers to rows.

The command line only collects the options; what they mean is here and in
``shell_train.py``.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from ..errors import PtlearnError
from ..files import write_atomically
from ..forward import scoring
from ..lm.load import load_lm
from ..prompts.prompt import Prompt
from ..tasks.rows import close, read, text_of

ADDED = ("predicted", "log_prob")
"""Columns that ``predict`` adds; the second in nats, summed over the tokens."""
UNFINISHED = "unfinished"
"""Folder in a prompt's folder for a training that is not done."""
WRITERS = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    ".jsonl": lambda frame, path: frame.to_json(
        path, orient="records", lines=True, force_ascii=False
    ),
}


class ShellError(PtlearnError):
    """What was asked for cannot be done; the message says why."""


class Interrupted(ShellError):
    """Stopped by Ctrl-C; the message says how to go on."""


@contextmanager
def errors_for_people() -> Iterator[None]:
    """A full disk or a folder that may not be written: one line, no traceback."""
    try:
        yield
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise ShellError(f"{error.strerror or error}{where}") from error


def parse_labels(pairs: list[str]) -> dict[str, str]:
    """``["0=bad", "1=good"]`` as ``{"0": "bad", "1": "good"}``."""
    labels = {}
    for pair in pairs:
        raw, equals, word = pair.partition("=")
        if not (raw and equals and word.strip()):
            raise ShellError(f"--label {pair!r} is not RAW=WORD, such as 1=positive")
        if raw in labels:
            raise ShellError(f"--label gives {raw!r} two meanings")
        labels[raw] = word
    return labels


def predict(
    prompt_folder: Path,
    data: Path,
    out: Path,
    *,
    model: str | None = None,
    device: str = "auto",
    batch_size: int = 16,
) -> int:
    """Answer each row of a file; write its columns and two more to ``out``.

    Parameters
    ----------
    model : str, optional
        None takes the one that the prompt was trained on.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    ShellError
        For files or columns that do not fit.
    """
    with errors_for_people():
        if out.suffix not in WRITERS:
            raise ShellError(f"{out.name} is of no kind known: {', '.join(WRITERS)}")
        if out.exists() and out.samefile(data):
            raise ShellError(f"{out} is the data itself: take another --out")
        rows = read("data", data)
        name = model or _name_of_lm(prompt_folder)
        prompt = Prompt.load(prompt_folder, load_lm(name, device=device))
        if not prompt.answers:
            raise ShellError(f"the prompt in {prompt_folder} has no answers to choose")
        inputs = _inputs(rows, prompt.template.fields, data.name)
        scores = scoring.score(prompt, inputs, prompt.answers, batch_size=batch_size)
        added = dict(
            zip(ADDED, (scores.predicted, scores.predicted_log_prob), strict=True)
        )
        with write_atomically(out) as path:
            WRITERS[out.suffix](pd.DataFrame(rows).assign(**added), path)
    return len(rows)


def _inputs(rows: list[dict], fields: tuple[str, ...], name: str) -> list[dict]:
    """The columns that the template reads, as the same text as in training."""
    if not rows:
        raise ShellError(f"{name} has no rows")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    for column in fields:
        if column not in columns:
            raise ShellError(
                f"the prompt reads the column {column!r}, which {name} has not."
                f"{close(column, columns)} It has: {', '.join(columns)}"
            )
    for column in ADDED:
        if column in columns:
            raise ShellError(f"{name} has a column {column!r} already: rename it")
    inputs = [{c: text_of(row.get(c)) or "" for c in fields} for row in rows]
    empty = [i for i, row in enumerate(inputs) if not all(map(str.strip, row.values()))]
    if empty:
        print(
            f"Note: {len(empty)} of {len(rows)} rows lack something that the prompt "
            f"reads and are answered all the same; the first is row {empty[0]}."
        )
    return inputs


def _name_of_lm(folder: Path) -> str:
    try:
        return json.loads((folder / "prompt.json").read_text(encoding="utf-8"))["lm"]
    except FileNotFoundError:
        if (folder / UNFINISHED).exists():
            raise ShellError(
                f"the training in {folder} was not finished: run the same "
                "`ptlearn train` again"
            ) from None
        raise ShellError(f"no prompt in {folder}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ShellError(f"the prompt in {folder} is damaged: {error}") from error
