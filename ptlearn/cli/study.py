"""``ptlearn study``: run, plan, list and verify studies from the shell."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


def register(app: typer.Typer) -> None:
    """Add the command ``study`` to the command line."""
    app.command()(study)


def study(
    names: Annotated[
        list[str] | None, typer.Argument(help="Studies to run, one after another.")
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="What studies there are, and what is done.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Runs x measured seconds; runs nothing.")
    ] = False,
    verify: Annotated[
        int, typer.Option(help="Repeat so many stored rows, drawn anew.")
    ] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes side by side.")] = 2,
    model: Annotated[
        str | None, typer.Option(help='Another language model, such as "tiny".')
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="Folder of the rows; else data/results.")
    ] = None,
) -> None:
    """Run a study; what was done before is not done again."""
    from ..studies import catalogue as study_plans
    from ..studies import study as studies

    folder = results or studies.default_folder()
    if list_:
        _list(folder, model)
    elif verify:
        _verify(verify, folder)
    elif not names:
        raise typer.BadParameter("name a study, or ask for --list or --verify N")
    else:
        chosen = [study_plans.study_plan(name) for name in names]
        chosen = [s.on_model(model) if model else s for s in chosen]
        for one in chosen:
            if plan:
                _plan(one, folder, workers)
            else:
                _run(one, folder, workers)


def _run(study, folder: Path, workers: int) -> None:
    from ..studies.statistics import summary
    from ..studies.study import run_study

    frame = run_study(study, folder=folder, workers=workers)
    print(f"\n{study.name}: {study.question}")
    if len(frame) and frame["final"].any():
        print(summary(frame).round(3).to_string())
    print(f"Rows in {folder / study.name}.jsonl")


def _plan(study, folder: Path, workers: int) -> None:
    from ..studies.study import estimate

    table = estimate(study, folder=folder, workers=workers)
    print(f"{study.name}: {study.question}")
    print(table.to_string(formatters={"hours": "{:.2f}".format}))
    runs, hours = table["runs"].sum(), table["hours"].sum()
    print(
        f"{runs} runs to do, about {hours:.1f} hours with {workers} processes of one "
        "thread (longer where they share a core)\n"
    )


def _list(folder: Path, model: str | None) -> None:
    from ..studies.catalogue import FIRST_TIER, study_plans
    from ..studies.store import read_folder

    rows = read_folder(folder)
    for study in study_plans().values():
        study = study.on_model(model) if model else study
        done = len({job.key for _, job in study.jobs(rows)} & set(rows))
        tier = "first tier" if study.name in FIRST_TIER else "second tier"
        counts = f"{done:4d} of {study.size():4d} runs"
        print(f"{study.name:16} {counts}  {tier:12} {study.question}")


def _verify(n: int, folder: Path) -> None:
    from ..studies.verify import verify as repeat_rows

    checks = repeat_rows(n, folder=folder)
    for check in checks:
        print(check)
    if any(check.faults for check in checks):
        raise typer.Exit(1)


register(app)
