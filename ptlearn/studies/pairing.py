"""Two arms, run by run and row by row: what one did minus what the other did.

Runs of one fold and one seed belong together: they had the same training rows, the
same start and the same order. Their test rows are the same rows in the same order. So
each fold gives one rectangle of differences, runs x test rows.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import StudyError
from .statistics import own_hits

ONE_SPLIT = -1  # the fold of runs that all have the task's own test rows


@dataclass(frozen=True)
class Paired:
    """The differences between two arms.

    Attributes
    ----------
    blocks : dict of int to ndarray
        For each fold the differences, shape (runs, test rows of the fold).
    missing : int
        Runs that have no partner: one of the two broke off or has not run.
    seeded : bool
        Whether a seed had any part in it. False if both arms are untrained and were
        scored once: run again, they give the same.
    test_share : float
        Test rows of a fold for each row outside it; NaN without folds.
    """

    blocks: dict[int, np.ndarray]
    missing: int
    seeded: bool
    test_share: float


def paired(
    frame: pd.DataFrame,
    arm: str,
    baseline: str,
    *,
    outcome: str | None = None,
    without_folds: Collection[int] = (),
) -> Paired:
    """Return the differences between `arm` and `baseline`, fold by fold.

    Parameters
    ----------
    frame : DataFrame
        What ``results`` returned. Only lines with ``final`` count.
    arm, baseline : str
        An untrained arm (no rate) with one run a fold, such as a wording, is compared
        with every run of the other.
    outcome : str, optional
        Column that holds a number for each test row: ``"test_hits"``,
        ``"test_correct"`` or ``"test_log_probs"``. None: the hits that the study's
        metric counts.
    without_folds : collection of int
        Folds to leave out, such as one whose rows helped to choose the rates.

    Raises
    ------
    StudyError
        If an arm has not run or ran twice with one seed; if the two share no run, or
        were scored on different test rows; if a seed was used in two folds; if the
        table has more than one task or metric, or lacks the outcome.
    """
    outcome = outcome or own_hits(frame)
    frame = final_runs(frame)
    ours, theirs = (_runs(frame, name) for name in (arm, baseline))
    seeded = not (_is_fixed(ours) and _is_fixed(theirs))
    left, right = _partners(ours, theirs, outcome)
    keys = sorted(left.keys() | right.keys())
    ended = [*left.items(), *right.items()]
    share = _test_share({key[0]: len(v) for key, v in ended if v is not None})
    keys = [key for key in keys if key[0] not in without_folds]
    if seeded:
        _refuse_shared_seeds(keys)
    blocks = {}
    for key in keys:
        one, other = left.get(key), right.get(key)
        if one is not None and other is not None:
            blocks.setdefault(key[0], []).append((one, other))
    if not blocks:
        raise StudyError(
            f"{arm!r} and {baseline!r} share no run: none has the same fold and seed "
            "in both"
        )
    if any(len({len(v) for pair in b for v in pair}) > 1 for b in blocks.values()):
        raise StudyError(
            f"{arm!r} and {baseline!r} were scored on different test rows: compare "
            "arms of one study"
        )
    gaps = {f: np.array([a - b for a, b in pairs]) for f, pairs in blocks.items()}
    return Paired(gaps, len(keys) - sum(map(len, gaps.values())), seeded, share)


def final_runs(frame: pd.DataFrame, *, only_final: bool = True) -> pd.DataFrame:
    """Return the runs that count, ``cv_fold`` as an int (``ONE_SPLIT`` for none).

    Raises
    ------
    StudyError
        If there are none, or if they are of more than one task.
    """
    runs = frame[frame["final"]] if only_final and len(frame) else frame
    if runs.empty:
        raise StudyError("no final runs of this study are stored: run it first")
    if runs["task"].nunique() > 1:
        tasks = ", ".join(sorted(set(runs["task"])))
        raise StudyError(f"these runs are of several tasks: {tasks}; choose one")
    if "cv_fold" not in runs:
        return runs.assign(cv_fold=ONE_SPLIT)
    folds = pd.to_numeric(runs["cv_fold"]).fillna(ONE_SPLIT).astype(int)
    return runs.assign(cv_fold=folds)


def _runs(frame: pd.DataFrame, arm: str) -> pd.DataFrame:
    runs = frame[frame["arm"] == arm]
    if runs.empty:
        there = "; ".join(dict.fromkeys(frame["arm"]))  # names hold commas
        raise StudyError(f"no arm called {arm!r} has run; there are: {there}")
    if runs.duplicated(["cv_fold", "seed"]).any():
        raise StudyError(f"{arm!r} has two final runs with one fold and one seed")
    folds = set(runs["cv_fold"])
    if ONE_SPLIT in folds and len(folds) > 1:
        raise StudyError(f"{arm!r} ran with folds and without: keep one kind")
    return runs


def _is_fixed(runs: pd.DataFrame) -> bool:
    """Return whether an arm is untrained and was scored once on each fold."""
    return bool(runs["lr"].isna().all()) and not runs["cv_fold"].duplicated().any()


def _partners(
    ours: pd.DataFrame, theirs: pd.DataFrame, outcome: str
) -> tuple[dict, dict]:
    """Return {(fold, seed): a number for each test row} of both arms, same keys.

    None stands for a run that broke off. An untrained arm's one run of a fold stands
    beside every seed of the other arm.
    """
    left, right = _values(ours, outcome), _values(theirs, outcome)
    if _is_fixed(ours) and _is_fixed(theirs):
        left, right = ({(f, 0): v for (f, _), v in x.items()} for x in (left, right))
    elif _is_fixed(ours):
        left = _beside(left, right)
    elif _is_fixed(theirs):
        right = _beside(right, left)
    return left, right


def _beside(fixed: dict, seeded: dict) -> dict:
    of_fold = {fold: value for (fold, _), value in fixed.items()}
    return {(fold, seed): of_fold.get(fold) for fold, seed in seeded}


def _values(runs: pd.DataFrame, outcome: str) -> dict[tuple, np.ndarray | None]:
    found = {}
    for _, run in runs.iterrows():
        key, value = (int(run["cv_fold"]), int(run["seed"])), run.get(outcome)
        if run["error"] != "":
            found[key] = None
        elif isinstance(value, str | list | tuple | np.ndarray) and len(value):
            found[key] = np.array(list(value), dtype=float)
        else:
            raise StudyError(f"a run of {run['arm']!r} holds no {outcome}")
    return found


def _refuse_shared_seeds(keys: list[tuple]) -> None:
    seeds = [seed for _, seed in keys]
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise StudyError(
            f"seed {twice[0]} was used in two folds: the interval counts runs of "
            "different folds as independent, so each fold needs seeds of its own"
        )


def _test_share(sizes: dict[int, int]) -> float:
    """Return the mean over folds of: rows of the fold / rows of the other folds."""
    if len(sizes) < 2:
        return np.nan
    rows = np.array(list(sizes.values()))
    return float(np.mean(rows / (rows.sum() - rows)))
