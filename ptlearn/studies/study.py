"""Studies: arms x learning rates x seeds, each arm at its own best rate.

A comparison at one shared learning rate says more about the rate than about the arms.
So each arm first tries every rate of one grid, dev rows choose among them, and only
then the other seeds run. Rows go to a file as they come; a study that was killed goes
on where it stopped, and two studies that share a run share its row.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    ProcessPoolExecutor,
    wait,
)
from contextlib import nullcontext
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from ..errors import StudyError
from .job import Job, measured_seconds, run_job
from .store import (
    append_row,
    default_folder,
    drop_torn_line,
    only_writer,
    read_folder,
    stored_folder,
)


@dataclass(frozen=True)
class Arm:
    """One thing that a study compares.

    Attributes
    ----------
    name : str
        As figures show it.
    job : Job
        What is run; its rate and seed are filled in by the study.
    lrs : tuple of float
        Rates of its own instead of the study's grid; one alone leaves no choice.
    """

    name: str
    job: Job
    lrs: tuple[float, ...] = ()


@dataclass(frozen=True)
class Study:
    """Arms to compare, the grid of rates that all of them try, and the seeds.

    Attributes
    ----------
    name, question : str
    arms : tuple of Arm
        An arm without virtual tokens is scored once.
    lrs : tuple of float
        The grid. The first seed tries all of it; dev rows choose.
    seeds : tuple of int
        The chosen rate runs with all of these; the first has run already.
    """

    name: str
    question: str
    arms: tuple[Arm, ...]
    lrs: tuple[float, ...] = (1e-3, 5e-3, 3e-2)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)

    def __post_init__(self):
        names = [arm.name for arm in self.arms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise StudyError(f"study {self.name!r} has two arms called {twice[0]!r}")
        if not self.arms or not self.lrs or not self.seeds:
            raise StudyError(f"study {self.name!r} needs arms, lrs and seeds")

    def on_model(self, model: str) -> "Study":
        """The same study of another language model."""
        arms = (replace(a, job=replace(a.job, model=model)) for a in self.arms)
        return replace(self, arms=tuple(arms))

    def first_jobs(self, arm: Arm) -> list[Job]:
        """Every rate at the first seed; the one job of an arm that does not train."""
        if not arm.job.is_trained:
            return [arm.job]
        rates = arm.lrs or self.lrs
        return [replace(arm.job, lr=lr, seed=self.seeds[0]) for lr in rates]

    def chosen(self, arm: Arm, rows: Mapping[str, dict]) -> Job | None:
        """The first job of the rate that dev chose, the lower rate of equal ones.

        None as long as one of them has not run, and where every one of them failed.
        """
        jobs = self.first_jobs(arm)
        if any(job.key not in rows for job in jobs):
            return None
        scored = [job for job in jobs if rows[job.key].get("dev_score") is not None]
        jobs = sorted(scored, key=lambda job: job.lr or 0)
        return max(jobs, key=lambda job: rows[job.key]["dev_score"], default=None)

    def final_jobs(self, arm: Arm, rows: Mapping[str, dict]) -> list[Job]:
        """The chosen rate with each seed; none as long as no rate is chosen."""
        best = self.chosen(arm, rows)
        if best is None or not best.is_trained:
            return [] if best is None else [best]
        return [replace(best, seed=seed) for seed in self.seeds]

    def jobs(self, rows: Mapping[str, dict]) -> Iterator[tuple[Arm, Job]]:
        """Every job that is known to be needed, given the rows so far."""
        for arm in self.arms:
            jobs = self.first_jobs(arm) + self.final_jobs(arm, rows)
            yield from ((arm, job) for job in dict.fromkeys(jobs))

    def size(self) -> int:
        """How many runs the whole study is."""
        first = [job for arm in self.arms for job in self.first_jobs(arm)]
        trained = {arm.job for arm in self.arms if arm.job.is_trained}
        return len(set(first)) + len(trained) * (len(self.seeds) - 1)


def run_study(
    study: Study,
    *,
    folder: str | Path | None = None,
    executor: Executor | None = None,
    workers: int = 2,
    threads: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """Run what is still missing of a study.

    Parameters
    ----------
    folder : path, optional
        Holds ``NAME.jsonl``, to which each row is added as it comes. Rows that other
        studies left there are used too. None: :func:`default_folder`.
    executor : concurrent.futures.Executor, optional
        Where the jobs run: for instance ``dask.distributed.Client(...).get_executor()``
        for a cluster. None: ``workers`` new processes here.
    threads : int
        Threads of each job.

    Returns
    -------
    DataFrame
        As :func:`results`.

    Raises
    ------
    StudyError
        If a worker died, if another process is running the same study, or if the
        file is damaged. Rows that are done stay: the same call goes on from them.
    """
    folder = Path(folder) if folder is not None else default_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{study.name}.jsonl"
    own_pool = executor is None
    with (
        only_writer(path),
        _pool(workers) if own_pool else nullcontext(executor) as pool,
    ):
        drop_torn_line(path)
        rows = read_folder(folder)
        missing = study.size() - len(_needed(study, rows))
        with tqdm(total=missing, desc=study.name, disable=not progress) as bar:
            for arm, row in _finished(study, rows, pool, threads):
                append_row(path, {"study": study.name, "arm": arm.name} | row)
                bar.set_postfix_str(f"{arm.name}: {_shown(row)}")
                bar.update()
    return results(study, folder)


def estimate(
    study: Study, *, folder: str | Path | None = None, workers: int = 2
) -> pd.DataFrame:
    """What a study would still cost: runs x measured seconds. Runs none of them.

    The seconds of a run are the median of the stored rows of its task, model and
    steps; where there are none, a few steps are timed here and now.

    Returns
    -------
    DataFrame
        Index task and what is done; columns ``runs`` (still to do), ``seconds`` (of
        one), ``from`` ("stored rows" or "timed now"), ``hours`` (of all, on
        ``workers`` processes).
    """
    folder = Path(folder) if folder is not None else default_folder()
    rows, lines = read_folder(folder), {}
    for arm in study.arms:
        known = [*study.first_jobs(arm), *study.final_jobs(arm, rows)]
        runs = len(study.first_jobs(arm))
        runs += len(study.seeds) - 1 if arm.job.is_trained else 0
        runs -= len({job.key for job in known} & set(rows))
        kind = "training" if arm.job.is_trained else "scoring"
        name = (arm.job.test_task or arm.job.task, kind, arm.job.steps)
        line = lines.setdefault(name, {"runs": 0, "job": arm.job})
        line["runs"] += runs
    table = []
    for (task, kind, _), line in lines.items():
        seconds, source = _seconds_of(line["job"], rows) if line["runs"] else (0, "")
        hours = line["runs"] * seconds / 3600 / workers
        table.append((task, kind, line["runs"], round(seconds, 1), source, hours))
    columns = ["task", "kind", "runs", "seconds", "from", "hours"]
    return pd.DataFrame(table, columns=columns).set_index(["task", "kind"])


def _seconds_of(job: Job, rows: Mapping[str, dict]) -> tuple[float, str]:
    alike = [
        row["seconds"]
        for row in rows.values()
        if all(row[name] == getattr(job, name) for name in ("task", "model", "control"))
        and (row["steps"] == job.steps or not job.is_trained)
        and bool(row["first_losses"]) == job.is_trained
    ]
    if alike:
        return float(pd.Series(alike).median()), "stored rows"
    return measured_seconds(job), "timed now"


def _finished(study, rows: dict, pool: Executor, threads) -> Iterator[tuple[Arm, dict]]:
    """Submit what is needed as it becomes known; yield (arm, row) as they end."""
    pending = {}
    try:
        while True:
            waiting = {job.key for _, job in pending.values()}
            for arm, job in study.jobs(rows):
                if job.key not in rows and job.key not in waiting:
                    pending[pool.submit(run_job, job, threads)] = arm, job
                    waiting.add(job.key)
            if not pending:
                return
            done = wait(pending, return_when=FIRST_COMPLETED).done
            # Whole rows first, or an error beside them would lose them.
            for future in sorted(done, key=lambda f: f.exception() is not None):
                arm, job = pending.pop(future)
                rows[job.key] = future.result()
                yield arm, rows[job.key]
    except BrokenExecutor as error:
        raise StudyError(
            f"a worker process died while study {study.name!r} ran, often for want of "
            "memory. The rows so far are kept: run it again, perhaps with workers=1"
        ) from error
    finally:
        for future in pending:
            future.cancel()


def _needed(study: Study, rows: Mapping[str, dict]) -> list[str]:
    keys = dict.fromkeys(job.key for _, job in study.jobs(rows))
    return [key for key in keys if key in rows]


def _pool(workers: int) -> ProcessPoolExecutor:
    # Spawned: a forked copy of a process with threads, as torch has, can hang.
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def _shown(row: dict) -> str:
    return "failed" if row["score"] is None else f"{row['score']:.3f}"


def results(study: Study, folder: str | Path | None = None) -> pd.DataFrame:
    """The rows of a study that there are, one line a run.

    Returns
    -------
    DataFrame
        The columns of a row; ``arm`` as this study calls it; ``final``: whether the
        run counts for its arm (the chosen rate), or only helped to choose the rate;
        ``at_edge``: whether a rate outside of the grid might have been better.
    """
    folder = Path(folder) if folder is not None else stored_folder()
    return table(study, read_folder(folder))


def table(study: Study, rows: Mapping[str, dict]) -> pd.DataFrame:
    """Lines of :func:`results` from rows by key."""
    lines = []
    for arm in study.arms:
        final = {job.key: job for job in study.final_jobs(arm, rows)}
        jobs = dict.fromkeys(study.first_jobs(arm) + list(final.values()))
        rates = arm.lrs or study.lrs
        for job in jobs:
            if job.key in rows:
                edge = len(rates) > 1 and job.lr in (min(rates), max(rates))
                about = {"study": study.name, "arm": arm.name}
                about |= {"final": job.key in final, "at_edge": edge}
                lines.append(rows[job.key] | about)
    return pd.DataFrame(lines)
