"""``ptlearn doctor``: checks this computer, or a prompt that does not learn."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DataError
from .predict import Device, Model, load_prompt
from .train import parse_labels

if TYPE_CHECKING:
    from ..prompts.prompt import Prompt
    from ..tasks.task import Task


def doctor(
    prompt: Annotated[
        Path | None,
        typer.Option(help="A saved prompt or its folder, instead of this computer."),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Its rows, with answers: .csv, .tsv, .jsonl or .json. Given twice: "
            "train rows, then dev rows."
        ),
    ] = None,
    answer_column: Annotated[
        str, typer.Option(help="The column with the answers.")
    ] = "answer",
    label: Annotated[
        list[str] | None,
        typer.Option(help="RAW=WORD, such as 1=positive; once for each label."),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Your budget for a row, in tokens.")
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help="Rate for learning eight rows by heart.")
    ] = None,
    eight_rows: Annotated[
        bool, typer.Option(help="Try to learn eight rows by heart.")
    ] = True,
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Check this computer; with --prompt and --data, a prompt and its rows.

    A saved prompt keeps neither its encoder nor its training curve: nothing is said
    about the rate, and gradient and eight rows are those of the bare table.
    Exit code 1 if something is missing or surely wrong.
    """
    if prompt is None:
        if data:
            raise typer.BadParameter("say which prompt: --prompt", param_hint="--data")
        from ..course import doctor

        raise typer.Exit(0 if doctor.doctor() else 1)
    if not data:
        raise typer.BadParameter(
            "the prompt's rows are needed, with their answers.", param_hint="--data"
        )
    folder = prompt.parent if prompt.is_file() else prompt
    loaded = load_prompt(folder, model, device)
    task = _task(data, loaded, answer_column, label or [])
    options = {"max_tokens": max_tokens, "lr": lr, "eight_rows": eight_rows}
    raise typer.Exit(1 if _print_findings(loaded, task, options) else 0)


def _task(
    data: list[Path], prompt: "Prompt", answer_column: str, labels: list[str]
) -> "Task":
    """Return the rows as a task, without refusing labels that are no candidates."""
    from ..tasks.task import Task

    if len(data) > 2:
        raise DataError("give at most two files: train rows, and dev rows.")
    words = parse_labels(labels) or None
    return Task.from_rows(
        *data, name=data[0].stem, answer_column=answer_column, labels=words
    )


def _print_findings(prompt: "Prompt", task: "Task", options: dict) -> int:
    """Print each finding as it is made; return how many are surely wrong."""
    from ..training.diagnosis import UNSEEN, diagnose

    tell = partial(print, flush=True)
    states = diagnose(prompt, task, tell=tell, **options)["state"].tolist()
    print(
        f"{states.count('FAIL')} of {len(states)} are surely wrong, "
        f"{states.count('LOOK')} are worth a look.\n{UNSEEN}"
    )
    return states.count("FAIL")
