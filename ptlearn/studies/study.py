"""Studies: arms x learning rates x seeds, each arm at its own best rate.

A comparison at one shared learning rate says more about the rate than about the arms.
So each arm first tries every rate of one grid, dev rows choose among them, and only
then do the other seeds run. Test rows have no part in the choice.
"""

from collections.abc import Iterator, Mapping
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
        names = [arm.name for arm in self.arms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise StudyError(
                f"study {self.name!r} has two arms called {twice[0]!r}: rename one"
            )
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

    def jobs(self, rows: Mapping[str, dict]) -> Iterator[tuple[Arm, Job]]:
        """Yield every job that is known to be needed, given the rows so far."""
        for arm in self.arms:
            jobs = self.first_jobs(arm) + self.final_jobs(arm, rows)
            yield from ((arm, job) for job in dict.fromkeys(jobs))

    def num_done(self, rows: Mapping[str, dict]) -> int:
        """Return how many of its runs have a row."""
        return len({job.key for _, job in self.jobs(rows)} & set(rows))

    def size(self) -> int:
        """Return how many runs the whole study takes."""
        first = [job for arm in self.arms for job in self.first_jobs(arm)]
        trained = {arm.job for arm in self.arms if arm.job.is_trained}
        return len(set(first)) + len(trained) * (len(self.seeds) - 1)


def results(study: Study, folder: str | Path | None = None) -> pd.DataFrame:
    """Return the stored rows of a study, one line for each run.

    Parameters
    ----------
    study : Study
    folder : path, optional
        Where the rows lie; None: those that come with the package.

    Returns
    -------
    DataFrame
        The columns of a row; ``arm`` as this study calls it; ``final``: whether the
        run counts for its arm (it is at the chosen rate) or only helped to choose the
        rate; ``at_edge``: whether a rate outside the grid might have been better.

    Raises
    ------
    StudyError
        If a file of rows is damaged.
    """
    folder = Path(folder) if folder is not None else stored_folder()
    return results_table(study, read_folder(folder))


def results_table(study: Study, rows: Mapping[str, dict]) -> pd.DataFrame:
    """Return the table of :func:`results`, given rows by their key."""
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
                # The job names settings that are younger than the row.
                lines.append(rows[job.key] | asdict(job) | about)
    return pd.DataFrame(lines)
