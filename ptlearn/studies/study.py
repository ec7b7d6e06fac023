"""Studies: arms x learning rates x seeds, each arm at its own best rate.

A comparison at one shared learning rate says more about the rate than about the arms.
So each arm first tries every rate of one grid, dev rows choose among them, and only
then do the other seeds run. Test rows have no part in the choice.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from ..errors import StudyError
from .job import Job
from .store import read_folder, stored_folder


@dataclass(frozen=True)
class Arm:
    """One thing that a study compares.

    Attributes
    ----------
    name : str
        As figures show it.
    job : Job
        What is run; the study fills in its rate and seed.
    lrs : tuple of float
        Rates of its own instead of the study's grid. A single one leaves no choice.
    """

    name: str
    job: Job
    lrs: tuple[float, ...] = ()


@dataclass(frozen=True)
class Run:
    """One job of a study, and what it is there for.

    Attributes
    ----------
    arm : Arm
    job : Job
    stage : str
        Where in the study it stands: "search" and "final", or one of the stages of a
        :class:`StagedStudy`.
    final : bool
        Whether it counts for its arm, or only helps to choose the rate.
    at_edge : bool
        Whether a rate outside the grid might have been better.
    """

    arm: Arm
    job: Job
    stage: str
    final: bool
    at_edge: bool = False


@dataclass(frozen=True)
class Study:
    """Arms to compare, the grid of rates that all of them try, and the seeds.

    Attributes
    ----------
    name, question : str
        The name is also that of the file of rows.
    arms : tuple of Arm
        An arm without virtual tokens is scored once.
    lrs : tuple of float
        The grid. The first seed tries all of it; dev rows choose.
    seeds : tuple of int
        The chosen rate runs with all of these; the first has run already.

    Raises
    ------
    StudyError
        If two arms have one name, or if there are no arms, rates or seeds.
    """

    name: str
    question: str
    arms: tuple[Arm, ...]
    lrs: tuple[float, ...] = (1e-3, 5e-3, 3e-2)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)

    def __post_init__(self):
        refuse_same_names(self.name, self.arms)
        if not self.arms or not self.lrs or not self.seeds:
            raise StudyError(
                f"study {self.name!r} needs at least one each of arms, lrs and seeds"
            )

    def on_model(self, model: str) -> "Study":
        """Return the same study of another language model."""
        arms = (replace(a, job=replace(a.job, model=model)) for a in self.arms)
        return replace(self, arms=tuple(arms))

    def first_jobs(self, arm: Arm) -> list[Job]:
        """Return every rate at the first seed; one job if the arm does not train."""
        if not arm.job.is_trained:
            return [arm.job]
        rates = arm.lrs or self.lrs
        return [replace(arm.job, lr=lr, seed=self.seeds[0]) for lr in rates]

    def chosen(self, arm: Arm, rows: Mapping[str, dict]) -> Job | None:
        """Return the first job at the rate that dev chose, the lower of equal ones.

        None while one of the first jobs has not run, and if all of them failed.
        """
        jobs = self.first_jobs(arm)
        if any(job.key not in rows for job in jobs):
            return None
        scored = [job for job in jobs if rows[job.key].get("dev_score") is not None]
        jobs = sorted(scored, key=lambda job: job.lr or 0)
        return max(jobs, key=lambda job: rows[job.key]["dev_score"], default=None)

    def final_jobs(self, arm: Arm, rows: Mapping[str, dict]) -> list[Job]:
        """Return the chosen rate with each seed; nothing until a rate is chosen."""
        best = self.chosen(arm, rows)
        if best is None or not best.is_trained:
            return [] if best is None else [best]
        return [replace(best, seed=seed) for seed in self.seeds]

    def in_folder(self, folder: str | Path) -> "Study":
        """Return the study itself: it has no plan that could lie in a folder."""
        return self

    def about(self, run: Run) -> dict[str, str]:
        """Return what a row of this study says beside its job and its numbers."""
        return {"stage": run.stage}

    def runs(self, rows: Mapping[str, dict]) -> Iterator[Run]:
        """Yield every run that is known to be needed, given the rows so far."""
        for arm in self.arms:
            final, rates = self.final_jobs(arm, rows), arm.lrs or self.lrs
            for job in dict.fromkeys(self.first_jobs(arm) + final):
                stage = "final" if job in final else "search"
                edge = len(rates) > 1 and job.lr in (min(rates), max(rates))
                yield Run(arm, job, stage, job in final, edge)

    def expected_jobs(self, rows: Mapping[str, dict]) -> list[Job]:
        """Return all jobs, done or not, with a guess for each that is not known yet."""
        jobs = {}
        for arm in self.arms:
            first = self.first_jobs(arm)
            final = self.final_jobs(arm, rows)
            if not final and arm.job.is_trained:
                final = [replace(first[0], seed=seed) for seed in self.seeds]
            jobs |= dict.fromkeys(first + final)
        return list(jobs)

    def size(self) -> int:
        """Return how many runs the whole study takes."""
        first = [job for arm in self.arms for job in self.first_jobs(arm)]
        trained = {arm.job for arm in self.arms if arm.job.is_trained}
        return len(set(first)) + len(trained) * (len(self.seeds) - 1)


def refuse_same_names(study: str, arms: Iterable[Arm]) -> None:
    """Raise StudyError if two arms of a study have one name."""
    counts = Counter(arm.name for arm in arms)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise StudyError(
            f"study {study!r} has two arms called {twice[0]!r}: rename one"
        )


def num_done(study, rows: Mapping[str, dict]) -> int:
    """Return how many of a study's runs have a row."""
    return len({run.job.key for run in study.runs(rows)} & set(rows))


def results(study, folder: str | Path | None = None) -> pd.DataFrame:
    """Return the stored rows of a study, one line for each run.

    Parameters
    ----------
    study : Study or StagedStudy
    folder : path, optional
        Where the rows lie; None: those that come with the package.

    Returns
    -------
    DataFrame
        The columns of a row; ``arm`` as this study calls it; ``stage``; ``final``:
        whether the run counts for its arm (it is at the chosen rate) or only helped to
        choose the rate; ``at_edge``: whether a rate outside the grid might have been
        better.

    Raises
    ------
    StudyError
        If a file of rows is damaged.
    """
    folder = Path(folder) if folder is not None else stored_folder()
    return results_table(study.in_folder(folder), read_folder(folder))


def results_table(study, rows: Mapping[str, dict]) -> pd.DataFrame:
    """Return the table of :func:`results`, given rows by their key."""
    lines = []
    for run in study.runs(rows):
        if run.job.key in rows:
            about = {"study": study.name, "arm": run.arm.name, "stage": run.stage}
            about |= {"final": run.final, "at_edge": run.at_edge}
            # The job names settings that are younger than the row.
            lines.append(rows[run.job.key] | asdict(run.job) | about)
    return pd.DataFrame(lines)
