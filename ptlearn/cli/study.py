"""``ptlearn study``: run, plan, list and verify studies from the shell."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import StudyError

app = typer.Typer(
    help="Compare prompts fairly: run studies, or check stored rows.",
    no_args_is_help=True,
)

Names = Annotated[list[str], typer.Argument(help="Studies; see `ptlearn study list`.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes side by side.")]
Model = Annotated[
    str | None, typer.Option(help='Another language model, such as "tiny".')
]
Results = Annotated[
    Path | None, typer.Option(help="Folder of the rows; else data/results.")
]


@app.command(no_args_is_help=True)
def run(
    names: Names,
    workers: Workers = 2,
    model: Model = None,
    results: Results = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Address of a Dask scheduler, such as tcp://10.0.0.1:8786: the jobs "
            "run on its workers, the rows come here."
        ),
    ] = None,
) -> None:
    """Run studies; what was done before is not done again."""
    from ..studies.executors import dask_executor
    from ..studies.scheduler import run_study
    from ..studies.statistics import summary

    folder, studies = _folder(results), _chosen(names, model)
    executor = dask_executor(scheduler) if scheduler else None
    for study in studies:
        frame = run_study(study, folder=folder, workers=workers, executor=executor)
        print(f"\n{study.name}: {study.question}")
        if "confirm" not in set(frame["stage"]) and "halving" in set(frame["stage"]):
            print(f"The rates are chosen. Next: ptlearn study freeze {study.name}")
        if frame["final"].any():  # else all of it diverged
            print(summary(frame).round(3).to_string())
        print(f"Rows in {folder / study.name}.jsonl")


@app.command(no_args_is_help=True)
def plan(
    names: Names, workers: Workers = 2, model: Model = None, results: Results = None
) -> None:
    """Say what studies would cost: runs x measured seconds. Runs nothing."""
    from ..studies.costs import estimate_cost

    folder = _folder(results)
    for study in _chosen(names, model):
        table = estimate_cost(study, folder=folder, workers=workers)
        runs, hours = table["runs"].sum(), table["hours"].sum()
        print(f"{study.name}: {study.question}")
        print(table.to_string(formatters={"hours": "{:.2f}".format}))
        print(
            f"{runs} runs to do, about {hours:.1f} hours with {workers} processes of "
            "one thread (longer where they share a core)\n"
        )


@app.command(no_args_is_help=True)
def freeze(names: Names, results: Results = None) -> None:
    """Write down the plan of studies whose rates are chosen; commit it, then run."""
    from ..studies.staged import StagedStudy
    from ..studies.staged import freeze as write_plan

    for study in _chosen(names, None):
        if not isinstance(study, StagedStudy):
            raise StudyError(f"study {study.name!r} has no stages, and so no plan")
        print(write_plan(study, _folder(results)))


@app.command()
def report(results: Results = None) -> None:
    """Write the page of results anew: verdicts, tables and figures."""
    from ..course.results_page import write_page
    from ..course.site.findings import renew_readme

    files = write_page(_folder(results))
    for file in files + (renew_readme() if results is None else []):
        print(file)


@app.command("list")
def list_(model: Model = None, results: Results = None) -> None:
    """List the studies, and how much of each is done."""
    from ..studies.catalogue import FIRST_TIER, course_studies
    from ..studies.store import read_folder
    from ..studies.study import num_done

    folder = _folder(results)
    rows = read_folder(folder)
    for study in _chosen(course_studies(), model):
        study = study.in_folder(folder)
        tier = "first tier" if study.name in FIRST_TIER else "second tier"
        done, in_all = num_done(study, rows), len(study.expected_jobs(rows))
        counts = f"{done:4d} of {in_all:4d} runs"
        print(f"{study.name:16} {counts}  {tier:12} {study.question}")


@app.command()
def verify(
    n: Annotated[int, typer.Argument(min=1, help="How many rows, drawn anew.")] = 1,
    full: Annotated[
        bool, typer.Option("--full", help="Make the whole runs again: minutes each.")
    ] = False,
    results: Results = None,
) -> None:
    """Check stored rows: how training began, and what the prompt scores.

    Exit code 1 if one comes out otherwise.
    """
    from ..studies.verification import verify as check_rows

    checks = check_rows(n, folder=results, full=full)
    for check in checks:
        print(check)
    if any(check.faults for check in checks):
        raise typer.Exit(1)


@app.command()
def why(
    names: Annotated[
        list[str] | None, typer.Argument(help="Experiments; none: all of them.")
    ] = None,
    workers: Workers = 2,
    model: Model = None,
    results: Annotated[
        Path | None, typer.Option(help="Folder of the rows; else data/results/why.")
    ] = None,
) -> None:
    """Run the experiments on what an encoder does; goes on where it stopped."""
    from ..mechanisms.catalogue import experiments, load_experiment
    from ..mechanisms.run import run_experiment
    from ..mechanisms.tables import barrier_summary, mechanism_summary
    from ..studies.executors import process_pool

    chosen = [load_experiment(name) for name in names or experiments()]
    with process_pool(workers) as pool:
        for experiment in chosen:
            experiment = experiment.on_model(model) if model else experiment
            frame = run_experiment(experiment, results, pool)
            print(f"\n{experiment.name}: {experiment.question}")
            print(mechanism_summary(frame).round(3).to_string())
            if experiment.lines:
                print(barrier_summary(frame).round(3).to_string())


@app.command()
def relatives(
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what is left, in minutes; run nothing.")
    ] = False,
    timings: Annotated[
        bool,
        typer.Option("--timings", help="Take the times alone; wants a quiet machine."),
    ] = False,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="Begin no run that may not be over by then."),
    ] = None,
    workers: Workers = 2,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    model: Model = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Folder of the rows; else data/results/relatives."),
    ] = None,
) -> None:
    """Compare P-Tuning with its relatives; goes on where it stopped."""
    from ..relatives.catalogue import RelativesStudy
    from ..relatives.run import run_relatives, run_timings
    from ..relatives.tables import plan_table, relatives_summary, timing_summary

    study = RelativesStudy()
    study = study.on_model(model) if model else study
    if plan:
        print(plan_table(study, results))
    elif timings:
        print(timing_summary(run_timings(study, results)).to_string())
    else:
        frame = run_relatives(
            study, results, workers=workers, minutes=minutes, device=device
        )
        print(relatives_summary(frame, study).round(3).to_string())


def _folder(results: Path | None) -> Path:
    from ..studies.store import default_folder

    return results or default_folder()


def _chosen(names, model: str | None) -> list:
    """Return the studies of these names, of another model if one is given."""
    from ..studies.catalogue import load_study

    # All of them before the first is run, which may take hours.
    studies = [load_study(name) for name in names]
    return [study.on_model(model) if model else study for study in studies]
