"""Staged studies: rates are chosen, the plan is frozen, and only then comes the test.

The stages are probe, search, halving and widening, which choose each arm's rate by dev
rows (see ``rates``); then the plan is written down with its hash, and committed; then
the confirming runs, with new seeds, on test rows that no run before them has scored.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import StudyError
from ..files import short_hash, write_atomically
from .job import Job
from .rates import Protocol, RateSearch, with_seeds
from .store import read_folder
from .study import Arm, Run, refuse_same_names
from .verdict import Rule


@dataclass(frozen=True)
class StagedStudy:
    """A study whose verdicts are to stand.

    Attributes
    ----------
    name, question : str
        The name is also that of the file of rows.
    arms : tuple of Arm
        An arm without virtual tokens is an untrained baseline: it is scored on the
        same test rows, once, or with other demonstrations for each seed.
    contrasts : tuple of (str, str)
        What the verdicts are about: (arm, the arm that it is compared with).
    protocol : Protocol
    rule : Rule
    plan : dict or None
        The frozen plan, once there is one; see :func:`freeze`.

    Raises
    ------
    StudyError
        If two arms have one name, or a contrast names an arm that is not there.
    """

    name: str
    question: str
    arms: tuple[Arm, ...]
    contrasts: tuple[tuple[str, str], ...]
    protocol: Protocol = Protocol()
    rule: Rule = Rule()
    plan: dict | None = None

    def __post_init__(self):
        refuse_same_names(self.name, self.arms)
        names = [arm.name for arm in self.arms]
        for name in {name for contrast in self.contrasts for name in contrast}:
            if name not in names:
                raise StudyError(
                    f"study {self.name!r} compares {name!r}, which is none of its "
                    f"arms: {'; '.join(names)}"
                )

    def on_model(self, model: str) -> "StagedStudy":
        """Return the same study of another language model."""
        arms = (replace(a, job=replace(a.job, model=model)) for a in self.arms)
        return replace(self, arms=tuple(arms))

    def in_folder(self, folder: str | Path) -> "StagedStudy":
        """Return the study with the plan that was frozen in a folder of rows, if any.

        Raises
        ------
        StudyError
            If the plan is damaged, was edited, or is of another study.
        """
        path = plan_path(self, folder)
        return replace(self, plan=_read_plan(path)) if path.exists() else self

    def search(self, arm: Arm, rows: Mapping[str, dict]) -> RateSearch:
        """Return the search for an arm's rate, as far as the rows go."""
        return RateSearch(arm.job, self.protocol, rows)

    def runs(self, rows: Mapping[str, dict]) -> Iterator[Run]:
        """Yield every run that is known to be needed, given the rows so far.

        Without a plan these are the runs that choose; with one also those that confirm.
        """
        for arm in self.arms:
            if arm.job.is_trained:
                for job, stage in self.search(arm, rows).jobs.items():
                    yield Run(arm, job, stage, final=False)
            if self.plan is not None:
                lr = self.plan["arms"][arm.name]["lr"]
                for job in self.confirming_jobs(arm, lr):
                    yield Run(arm, job, "confirm", final=True)

    def confirming_jobs(self, arm: Arm, lr: float | None) -> list[Job]:
        """Return the runs that count for an arm, at a rate."""
        protocol = self.protocol
        if not arm.job.is_trained and not arm.job.demonstrations:
            jobs = [replace(arm.job, cv_fold=fold) for fold in protocol.folds]
            return [replace(job, few_rows=None) for job in jobs]
        jobs = []
        for fold, seed in protocol.confirming_seeds():
            if arm.job.is_trained:
                job = with_seeds(arm.job, seed)
                jobs.append(
                    replace(job, cv_fold=fold, lr=lr, steps=protocol.confirm_steps)
                )
            else:
                jobs.append(replace(arm.job, cv_fold=fold, seed=seed))
        return jobs

    def expected_jobs(self, rows: Mapping[str, dict]) -> list[Job]:
        """Return all jobs, done or not, with a guess for each that is not known yet.

        Widening is left out: nobody knows it beforehand.
        """
        jobs, protocol = {}, self.protocol
        for arm in self.arms:
            lr = None
            if arm.job.is_trained:
                search = self.search(arm, rows)
                lr = search.chosen or protocol.probe_lr
                jobs |= search.jobs
                if search.chosen is None:
                    jobs |= dict.fromkeys(self._guessed_jobs(search))
            jobs |= dict.fromkeys(self.confirming_jobs(arm, lr))
        return list(jobs)

    def _guessed_jobs(self, search: RateSearch) -> list[Job]:
        """Return as many jobs as the search has still before it, at made-up rates."""
        protocol, known = self.protocol, list(search.jobs.values())
        jobs = []
        stages = {
            "search": (protocol.rates, protocol.search_steps),
            "halving": (3, protocol.halving_steps),
        }
        for stage, (rates, steps) in stages.items():
            missing = rates * len(protocol.tuning_seeds) - known.count(stage)
            jobs += [
                replace(search.job, lr=(i + 1) * 1e-9, steps=steps)
                for i in range(max(0, missing))
            ]
        return jobs

    def about(self, run: Run) -> dict[str, Any]:
        """Return what a row of this study says beside its job and its numbers."""
        hash_ = self.plan["hash"] if self.plan is not None and run.final else None
        return {"stage": run.stage, "plan": hash_}

    def size(self) -> int:
        """Estimate how many runs the whole study takes; widening may add some."""
        trained = sum(arm.job.is_trained for arm in self.arms)
        seeds = len(self.protocol.tuning_seeds)
        confirming = sum(len(self.confirming_jobs(arm, None)) for arm in self.arms)
        return trained * seeds * (1 + self.protocol.rates + 3) + confirming


def is_complete(study: StagedStudy, frame: pd.DataFrame) -> bool:
    """Whether all confirming runs of a study with a plan are in its table of rows."""
    if study.plan is None or frame.empty:
        return False
    done = set(frame.loc[frame["final"], "key"])
    return done >= set(study.plan["confirming_keys"])


def plan_path(study: StagedStudy, folder: str | Path) -> Path:
    """Return where a study's frozen plan lies beside its rows."""
    return Path(folder) / "plans" / f"{study.name}.json"


def make_plan(study: StagedStudy, rows: Mapping[str, dict]) -> dict[str, Any]:
    """Return the plan of the confirming runs: rates, keys, contrasts and the rule.

    Raises
    ------
    StudyError
        If a rate has not been chosen yet.
    """
    arms, keys = {}, []
    for arm in study.arms:
        lr, found = None, {}
        if arm.job.is_trained:
            search = study.search(arm, rows)
            lr = search.chosen
            if lr is None:
                raise StudyError(
                    f"arm {arm.name!r} of study {study.name!r} has no rate yet: "
                    f"ptlearn study run {study.name}"
                )
            tried = {str(rate): round(loss, 4) for rate, loss in search.tried.items()}
            found = {"bracketed": search.bracketed, "dev_loss_by_rate": tried}
        arms[arm.name] = {"lr": lr, **found}
        keys += [job.key for job in study.confirming_jobs(arm, lr)]
    plan = {
        "study": study.name,
        "question": study.question,
        "contrasts": [list(contrast) for contrast in study.contrasts],
        "rule": asdict(study.rule),
        "protocol": asdict(study.protocol),
        "arms": arms,
        "confirming_keys": sorted(set(keys)),
    }
    plan = json.loads(json.dumps(plan))  # tuples become lists, as they will be read
    return plan | {"hash": _hash(plan)}


def freeze(study: StagedStudy, folder: str | Path) -> Path:
    """Write down the plan of a study whose rates are chosen; return its file.

    Commit the file before the confirming runs: who does cannot be said to have chosen
    the rule by its result.

    Raises
    ------
    StudyError
        If a rate has not been chosen yet, or another plan is frozen already.
    """
    path = plan_path(study, folder)
    plan = make_plan(study, read_folder(folder))
    if path.exists():
        if _read_plan(path) == plan:
            return path
        raise StudyError(
            f"{path} holds another plan of this study. A frozen plan is not changed: "
            "give the study another name"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")
    return path


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        stored = plan["hash"]
        right = _hash({name: value for name, value in plan.items() if name != "hash"})
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise StudyError(f"{path} is no plan of a study: {error!r}") from error
    if stored != right:
        raise StudyError(
            f"{path} was edited after it was frozen: its hash is {right}, and it says "
            f"{stored}"
        )
    return plan


def _hash(plan: Mapping) -> str:
    text = json.dumps(plan, sort_keys=True)
    return short_hash(text)
