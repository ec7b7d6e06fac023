"""``ptlearn predict``: a saved prompt answers the rows of a file."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError, PromptError
from ..files import write_atomically
from ..tasks.rows import cell_text, columns_of, read_rows, require_columns
from .output import UNFINISHED, writing_to

if TYPE_CHECKING:
    from ..prompts.prompt import Prompt

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*DELIMITERS, ".jsonl")
SOME_FAILED = 3
"""Exit code where some rows could not be answered; 1 and 2 mean nothing was written."""


Model = Annotated[
    str | None,
    typer.Option(help="The prompt's language model, if its folder has moved."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]


def predict(
    prompt: Annotated[Path, typer.Option(help="The folder that `train` wrote.")],
    data: Annotated[Path, typer.Option(help="Rows: .csv, .tsv, .jsonl or .json.")],
    out: Annotated[Path, typer.Option(help="File to write: .csv, .tsv or .jsonl.")],
    model: Model = None,
    device: Device = "auto",
    batch_size: Annotated[
        int, typer.Option(min=1, help="Rows that are scored at once.")
    ] = 16,
) -> None:
    """Answer new rows: adds the columns predicted and log_prob.

    The log-probability is in nats, summed over the answer's tokens. A row that cannot
    be answered, such as one too long for the model, is written too: with no answer and
    the reason in a column named error. The exit code is then 3.
    """
    _check_out(out, data)
    rows = read_rows(data, data.name)
    if not rows:
        raise DataError(f"{data.name} has no rows.")
    loaded = load_prompt(prompt, model, device)
    inputs = _inputs(rows, loaded.template.fields, data.name)
    added = _answer(loaded, inputs, batch_size)
    for column in added[0]:
        if any(column in row for row in rows):
            raise DataError(
                f"{data.name} already has a column {column!r}, which predict adds: "
                "rename it."
            )
    with writing_to(out, DataError), write_atomically(out) as path:
        _write([dict(row) | more for row, more in zip(rows, added, strict=True)], path)
    print(f"{len(rows)} rows are in {out}.")
    if failed := sum(more["predicted"] is None for more in added):
        print(
            f"{failed} of {len(rows)} rows could not be answered; the column error "
            "says why.",
            file=sys.stderr,
        )
        raise typer.Exit(SOME_FAILED)


def _check_out(out: Path, data: Path) -> None:
    if out.suffix not in SUFFIXES:
        raise typer.BadParameter(
            f"{out.name} ends in none of {', '.join(SUFFIXES)}.", param_hint="--out"
        )
    if out.exists() and data.exists() and out.samefile(data):
        raise typer.BadParameter(
            f"{out} is the data itself: name another file.", param_hint="--out"
        )


def load_prompt(folder: Path, model: str | None, device: str) -> "Prompt":
    """Return a saved prompt on its language model, ready to answer.

    Raises
    ------
    PromptError
        If the folder holds no finished prompt, or one without answers.
    """
    from ..lm.load import load_lm
    from ..prompts.prompt import Prompt, saved_lm_name

    finished = (folder / "prompt.safetensors").exists()
    if (folder / UNFINISHED).exists() and not finished:
        raise PromptError(
            f"the training in {folder} has not ended: run the same `ptlearn train` "
            "again."
        )
    name = model or saved_lm_name(folder)
    prompt = Prompt.load(folder, load_lm(name, device=device))
    if not prompt.answers:
        raise PromptError(
            f"the prompt in {folder} was saved without answers, so there are none to "
            "choose from."
        )
    return prompt


def _inputs(
    rows: list[Mapping], fields: tuple[str, ...], name: str
) -> list[dict[str, str]]:
    """Return the columns that the template reads, as the text it is in training."""
    require_columns(fields, list(map(str, columns_of(rows))), name)
    inputs = []
    for number, row in enumerate(rows):
        try:
            inputs.append({c: cell_text(row.get(c), c) for c in fields})
        except DataError as error:
            raise DataError(f"row {number} of {name}: {error}") from error
    empty = [i for i, row in enumerate(inputs) if not all(map(str.strip, row.values()))]
    if empty:
        print(
            f"Note: {len(empty)} of {len(rows)} rows have an empty cell where the "
            "prompt reads one; they are answered all the same. The first is row "
            f"{empty[0]}.",
            file=sys.stderr,
        )
    return inputs


def _answer(
    prompt: "Prompt", inputs: list[dict[str, str]], batch_size: int
) -> list[dict[str, Any]]:
    """Return the columns to add, for each row; ``error`` only if a row has one."""
    from ..forward import scoring

    longest = max(prompt.answers, key=lambda a: len(prompt.tokens.answer_ids(a)))
    problems: dict[int, str] = {}
    for number, row in enumerate(inputs):
        try:
            prompt.tokens.encode(row, longest)
        except DataError as error:
            problems[number] = str(error)
    good = [number for number in range(len(inputs)) if number not in problems]
    scores = scoring.score(
        prompt, [inputs[i] for i in good], prompt.answers, batch_size=batch_size
    )
    added = [dict.fromkeys(("predicted", "log_prob")) for _ in inputs]
    for number, answer, log_prob in zip(
        good, scores.predicted, scores.predicted_log_prob, strict=True
    ):
        added[number] = {"predicted": answer, "log_prob": log_prob}
    if problems:
        added = [row | {"error": problems.get(i)} for i, row in enumerate(added)]
    return added


def _write(rows: Iterable[dict], path: Path) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        if path.suffix not in DELIMITERS:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            return
        writer = csv.DictWriter(
            file,
            columns_of(rows),
            delimiter=DELIMITERS[path.suffix],
            lineterminator="\n",
        )
        writer.writeheader()
        writer.writerows(rows)
