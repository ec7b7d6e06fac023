"""What a study would still cost: runs x measured seconds."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from .job import Job
from .prepare import prepared_lm, prepared_task
from .run import run_job
from .store import default_folder, read_folder
from .study import Study


def estimate_cost(
    study: Study, *, folder: str | Path | None = None, workers: int = 2
) -> pd.DataFrame:
    """Estimate what a study would still cost, without running it.

    The seconds of a run are the median of the stored rows of its task, model and
    steps. Where there are none, a few steps are timed here and now.

    Parameters
    ----------
    study : Study
    folder : path, optional
        Where the rows lie; None: where ``run_study`` would write them.
    workers : int
        Processes side by side.

    Returns
    -------
    DataFrame
        Index ``task`` and ``kind`` ("training" or "scoring"); columns ``runs`` (still
        to do), ``seconds`` (of one), ``from`` ("stored rows" or "timed now"),
        ``hours`` (of all of them, on so many workers).
    """
    folder = Path(folder) if folder is not None else default_folder()
    study, rows, lines = study.in_folder(folder), read_folder(folder), {}
    for job in study.expected_jobs(rows):
        kind = "training" if job.is_trained else "scoring"
        name = (job.test_task or job.task, kind, job.steps)
        line = lines.setdefault(name, {"runs": 0, "job": job})
        line["runs"] += job.key not in rows
    table = []
    for (task, kind, _), line in lines.items():
        seconds, source = _seconds_of(line["job"], rows) if line["runs"] else (0, "")
        hours = line["runs"] * seconds / 3600 / workers
        table.append((task, kind, line["runs"], round(seconds, 1), source, hours))
    columns = ["task", "kind", "runs", "seconds", "from", "hours"]
    return pd.DataFrame(table, columns=columns).set_index(["task", "kind"])


def measured_seconds(job: Job, threads: int = 1) -> float:
    """Measure how long a job takes here, in seconds, by four steps or 32 rows of it.

    The time to load the model is left out: a worker does that once.
    """
    if not job.is_guess:
        prepared_lm(replace(job, control=""))
    task = prepared_task(job)
    if not job.is_trained:
        few = replace(job, test_rows=16, dev_rows=16)
        rows = len(task.dev) + len(task.test)
        return run_job(few, threads)["seconds"] * rows / 32
    few = replace(job, steps=4, evaluate_every=4, lr=job.lr or 1e-3)
    row = run_job(few, threads)
    at = row["seconds_at"]
    step = (at[2] - at[0]) / 2
    dev, test = max(0.0, at[0] - step), row["seconds"] - at[-1]
    return job.steps * step + (1 + job.steps // job.evaluate_every) * dev + test


def _seconds_of(job: Job, rows: Mapping[str, dict]) -> tuple[float, str]:
    alike = [row["seconds"] for row in rows.values() if _is_alike(row, job)]
    if alike:
        return float(pd.Series(alike).median()), "stored rows"
    return measured_seconds(job), "timed now"


def _is_alike(row: dict, job: Job) -> bool:
    """Whether a row's run took about as long as the job would."""
    done = Job.from_row(row)
    same = all(
        getattr(done, name) == getattr(job, name)
        for name in ("task", "model", "control")
    )
    # A run that failed at its first step has no losses, and took no time.
    as_trained = bool(row["first_losses"]) == job.is_trained
    return same and as_trained and (done.steps == job.steps or not job.is_trained)
