"""How reliable and how fast an arm is: runs that fail, spread, steps to a loss."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy import stats
from scipy.linalg import helmert

from ..errors import StudyError
from .pairing import final_runs


def reliability(
    frame: pd.DataFrame,
    floor_arm: str,
    baseline: str | None = None,
    *,
    without_folds: Collection[int] = (),
) -> pd.DataFrame:
    """Return how often each arm ends below an untrained arm, and how much it spreads.

    Parameters
    ----------
    frame : DataFrame
        What ``results`` returned. Only lines with ``final`` count.
    floor_arm : str
        An untrained arm, such as the best wording: a run below its score on the same
        test rows was not worth the training. Equal is not below.
    baseline : str, optional
        The arm whose spread the others' is tested against.
    without_folds : collection of int
        Folds to leave out.

    Returns
    -------
    DataFrame
        Index arm; ``runs``; ``failed`` (broke off); ``below`` (including those that
        broke off), ``share`` of the runs, with its 95 % Clopper-Pearson interval
        ``low`` and ``high``; ``sd`` (of the scores around their fold's mean: the spread
        over seeds; NaN without two runs in a fold); ``spread_p`` (Brown-Forsythe
        against the baseline).

    Raises
    ------
    StudyError
        If the floor or the baseline has not run, if the floor has not exactly one run
        on each fold, or if the table has more than one task.

    Notes
    -----
    Clopper-Pearson takes the runs as independent. Runs of one fold share their test
    rows, so the true uncertainty is a little larger.

    Brown-Forsythe compares how far runs lie from their middle. On one split that is the
    median score. With folds, whose rows differ, the runs of each fold are compared with
    each other: of n runs the n - 1 Helmert contrasts, which have the variance of one
    run and whose middle is known to be 0. Five folds of two seeds give five numbers an
    arm: one spread must be several times the other to show.
    """
    runs = final_runs(frame)
    runs = runs[~runs["cv_fold"].isin(list(without_folds))]
    runs = runs.assign(score=pd.to_numeric(runs["score"]))
    floor = _floor(runs, floor_arm)
    # A wording has one run a fold: it has neither share nor spread.
    trained = runs[runs["lr"].notna()]
    arms = dict(list(trained.groupby("arm", sort=False)))
    if baseline is not None and baseline not in arms:
        raise StudyError(f"no trained arm called {baseline!r} has run")
    ended = trained[trained["error"] == ""]
    distances = {arm: _distances(runs) for arm, runs in ended.groupby("arm")}
    missed = set(trained["cv_fold"]) - set(floor.index)
    if missed:
        raise StudyError(f"{floor_arm!r} has no run on fold {min(missed)}")
    lines = {arm: _below(group, floor) for arm, group in arms.items()}
    for arm, line in lines.items():
        line["sd"] = _sd_within_folds(ended[ended["arm"] == arm])
        line["spread_p"] = np.nan
        if arm != baseline:
            line["spread_p"] = _spread_p(distances.get(arm), distances.get(baseline))
    return pd.DataFrame.from_dict(lines, orient="index")


def _below(runs: pd.DataFrame, floor: pd.Series) -> dict:
    failed = runs["error"] != ""
    below = int((failed | (runs["score"] < runs["cv_fold"].map(floor))).sum())
    interval = stats.binomtest(below, len(runs)).proportion_ci(method="exact")
    return {
        "runs": len(runs),
        "failed": int(failed.sum()),
        "below": below,
        "share": below / len(runs),
        "low": float(interval.low),
        "high": float(interval.high),
    }


def _floor(runs: pd.DataFrame, arm: str) -> pd.Series:
    """Return the untrained arm's score, index fold."""
    floor = runs[(runs["arm"] == arm) & (runs["error"] == "")]
    if floor.empty:
        there = "; ".join(dict.fromkeys(runs["arm"]))
        raise StudyError(f"no arm called {arm!r} has run; there are: {there}")
    if floor["cv_fold"].duplicated().any():
        raise StudyError(f"{arm!r} has several runs on a fold: a floor has one")
    return floor.set_index("cv_fold")["score"]


def _sd_within_folds(runs: pd.DataFrame) -> float:
    scores = runs.groupby("cv_fold")["score"]
    spare = len(runs) - scores.ngroups
    if spare < 1:
        return np.nan
    around = runs["score"] - scores.transform("mean")
    return float(np.sqrt((around**2).sum() / spare))


def _distances(runs: pd.DataFrame) -> np.ndarray:
    """Return how far runs lie from their middle, all numbers independent."""
    folds = runs.sort_values("seed").groupby("cv_fold")["score"]
    scores = [fold.to_numpy() for _, fold in folds]
    if len(scores) == 1:
        return np.abs(scores[0] - np.median(scores[0]))
    contrasts = [helmert(len(fold)) @ fold for fold in scores if len(fold) > 1]
    return np.abs(np.concatenate(contrasts or [[]]))


def _spread_p(ours: np.ndarray | None, theirs: np.ndarray | None) -> float:
    if ours is None or theirs is None or min(len(ours), len(theirs)) < 3:
        return np.nan
    if np.ptp([*ours, *theirs]) == 0:
        return 1.0
    # Brown and Forsythe (1974): an analysis of variance of the distances.
    return float(stats.f_oneway(ours, theirs).pvalue)


def steps_to_loss(
    frame: pd.DataFrame,
    loss: float,
    baseline: str | None = None,
    *,
    each_rate: bool = False,
) -> pd.DataFrame:
    """Return how many steps each arm takes until its dev loss is at most `loss`.

    Dev loss is looked at now and then, so the number is a multiple of that. A run that
    never gets there counts as slower than all that do, whether it stopped or broke off;
    it is named.

    Parameters
    ----------
    frame : DataFrame
        What ``results`` returned.
    loss : float
        In nats, as in ``dev_losses``.
    baseline : str, optional
        The arm that the others are tested against, by the log-rank test. It takes runs
        as unpaired, which is cautious where runs of one seed are fast together.
    each_rate : bool
        False: the final runs, at the rate that had the best dev loss. True: all runs,
        one line for each arm and rate, since the fastest rate may be another one. Not
        together with `baseline`: a rate picked as the fastest would be tested on the
        runs that picked it.

    Returns
    -------
    DataFrame
        Index arm, or (arm, rate); ``runs``, ``reached``, ``censored`` (never got
        there), ``censored_runs`` (their names), ``median`` and ``fastest`` steps
        (infinite if too few got there), and with a baseline ``logrank_p``.

    Raises
    ------
    StudyError
        If the baseline has not run, if no run kept its dev losses, or if both
        `baseline` and `each_rate` are given.
    """
    if each_rate and baseline is not None:
        raise StudyError("each_rate=True has no test: leave out baseline")
    runs = final_runs(frame, only_final=not each_rate)
    runs = runs[runs["lr"].notna()]
    if "dev_losses" not in runs or not runs["dev_losses"].map(_has_curve).any():
        raise StudyError("these runs have no dev losses")
    runs = runs.assign(steps=[_first_at(c, loss) for c in runs["dev_losses"]])
    by = ["arm", "lr"] if each_rate else "arm"
    groups = dict(list(runs.groupby(by, sort=False)))
    if baseline is not None and baseline not in groups:
        raise StudyError(f"no trained arm called {baseline!r} has run")
    last = max(c[-1][0] for c in runs["dev_losses"] if _has_curve(c))
    lines = {}
    for name, group in groups.items():
        lines[name] = _speed(group)
        if baseline is not None:
            both = group["steps"], groups[baseline]["steps"]
            lines[name]["logrank_p"] = np.nan
            if name != baseline:
                lines[name]["logrank_p"] = _logrank_p(*both, last)
    return pd.DataFrame.from_dict(lines, orient="index")


def _has_curve(curve) -> bool:
    return isinstance(curve, list | tuple | np.ndarray) and len(curve) > 0


def _first_at(curve, loss: float) -> float:
    if not _has_curve(curve):
        return np.inf
    return min((float(step) for step, value in curve if value <= loss), default=np.inf)


def _speed(runs: pd.DataFrame) -> dict:
    steps = runs["steps"].to_numpy(dtype=float)
    late = runs[~np.isfinite(steps)]
    return {
        "runs": len(runs),
        "reached": len(runs) - len(late),
        "censored": len(late),
        "censored_runs": tuple(map(_name, late["cv_fold"], late["seed"])),
        # The higher of the two in the middle: half of "never" is not a number.
        "median": float(np.sort(steps)[len(steps) // 2]),
        "fastest": float(steps.min()),
    }


def _name(fold: int, seed: int) -> str:
    return f"seed {seed}" if fold < 0 else f"fold {fold}, seed {seed}"


def _logrank_p(ours: pd.Series, theirs: pd.Series, last: float) -> float:
    """Return the p-value; runs that never get there are censored at the last look."""
    if not (np.isfinite(ours).any() or np.isfinite(theirs).any()):
        return np.nan
    samples = [
        stats.CensoredData.right_censored(x.clip(upper=last), ~np.isfinite(x))
        for x in (ours, theirs)
    ]
    return float(stats.logrank(*samples).pvalue)
