"""What a study's rows say: means with intervals, paired differences, hard facts.

All functions take the table that ``studies.results`` returns and count only its lines
with ``final``: the runs at each arm's chosen rate. Intervals are Student's t, which a
test shows to cover what they say for five seeds; a bootstrap of five numbers does not.
"""

from functools import cache

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp

from ..errors import StudyError
from ..evaluation.baselines import easy_rows
from .job import Job
from .prepare import prepared_task
from .run import hits_to_text, text_to_hits

CONFIDENCE = 0.95


def mean_interval(values) -> tuple[float, float, float]:
    """Return the mean of some numbers and its 95 % interval: (mean, low, high).

    NaN are left out. With fewer than two numbers there is no interval: low and high
    are NaN.
    """
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return np.nan, np.nan, np.nan
    mean = float(values.mean())
    if len(values) < 2:
        return mean, np.nan, np.nan
    if np.ptp(values) == 0:
        return mean, mean, mean
    found = ttest_1samp(values, 0).confidence_interval(CONFIDENCE)
    return mean, float(found.low), float(found.high)


def summary(frame: pd.DataFrame, column: str = "score") -> pd.DataFrame:
    """Return the mean over seeds of each arm, with its interval and its rate.

    Parameters
    ----------
    frame : DataFrame
        What ``results`` returned.
    column : str
        Which number to average.

    Returns
    -------
    DataFrame
        Index arm; columns ``mean``, ``low``, ``high``, ``sd``, ``seeds``, ``failed``
        (runs that broke off), ``lr``, ``at_edge``.
    """
    lines = {}
    for arm, runs in _by_arm(frame):
        mean, low, high = mean_interval(runs[column])
        lines[arm] = {
            "mean": mean,
            "low": low,
            "high": high,
            "sd": runs[column].astype(float).std(),
            "seeds": int(runs[column].notna().sum()),
            "failed": int((runs["error"] != "").sum()),
            "lr": runs["lr"].iloc[0],
            "at_edge": bool(runs["at_edge"].iloc[0]),
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def paired_differences(
    frame: pd.DataFrame, baseline: str, *, hits: str | None = None
) -> pd.DataFrame:
    """Compare each arm with `baseline` on the same seeds and test rows.

    Parameters
    ----------
    frame : DataFrame
        What ``results`` returned.
    baseline : str
        Name of an arm. One that has a single run, such as a wording, is compared with
        every seed of the others.
    hits : "test_hits", "test_correct" or None
        Strict P@1, or the choice among the task's answers; None: the study's own.

    Returns
    -------
    DataFrame
        Index arm; ``difference`` (mean over seeds), ``low`` and ``high`` (95 % interval
        over seeds: would other seeds say so?), ``rows_low`` and ``rows_high`` (over
        test rows: would other rows?), ``seeds``.

    Raises
    ------
    StudyError
        If `baseline` has no final run, if two arms share no seed or were scored on
        different test rows, or if the runs have two metrics and `hits` does not say
        which counts.
    """
    hits = hits or own_hits(frame)
    runs = {arm: _hits_by_seed(group, hits) for arm, group in _by_arm(frame)}
    if baseline not in runs:
        raise StudyError(
            f"no arm called {baseline!r} has run; there are: {'; '.join(runs)}"
        )
    lines = {}
    for arm, ours in runs.items():
        if arm == baseline:
            continue
        gap = _gaps(arm, ours, baseline, runs[baseline])
        mean, low, high = mean_interval(gap.mean(axis=1))
        _, rows_low, rows_high = mean_interval(gap.mean(axis=0))
        lines[arm] = {
            "difference": mean,
            "low": low,
            "high": high,
            "rows_low": rows_low,
            "rows_high": rows_high,
            "seeds": len(gap),
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def easy_and_hard(frame: pd.DataFrame, *, hits: str | None = None) -> pd.DataFrame:
    """Return the score of each final run on easy and on hard test rows.

    A row is easy if a majority vote or naive Bayes on the whole training split gets it
    right: the answers' distribution or the look of the input is enough (Zhong et al.
    2021).

    Parameters
    ----------
    frame, hits
        As in :func:`paired_differences`.

    Returns
    -------
    DataFrame
        Columns ``arm``, ``seed``, ``easy``, ``hard`` (scores), ``n_easy``, ``n_hard``.

    Raises
    ------
    StudyError
        If the runs have two metrics and `hits` does not say which counts.
    """
    lines, hits = [], hits or own_hits(frame)
    for arm, runs in _by_arm(frame):
        for _, run in runs[runs["error"] == ""].iterrows():
            easy, right = _easy(run), text_to_hits(run[hits])
            line = {"arm": arm, "seed": run["seed"]}
            for name, part in (("easy", easy), ("hard", ~easy)):
                line[name] = right[part].mean() if part.any() else np.nan
                line[f"n_{name}"] = int(part.sum())
            lines.append(line)
    return pd.DataFrame(lines)


def recovered_gain(
    frame: pd.DataFrame, baseline: str, *, hits: str | None = None
) -> pd.DataFrame:
    """Return how much of each arm's gain over `baseline` is left on hard facts.

    Parameters
    ----------
    frame, baseline, hits
        As in :func:`paired_differences`.

    Returns
    -------
    DataFrame
        Index arm; ``gain`` (points over the baseline on all rows), ``hard_gain`` (on
        hard rows), ``low`` and ``high`` of that over seeds, ``share`` (hard_gain /
        gain; NaN without a gain).

    Raises
    ------
    StudyError
        As :func:`paired_differences`.
    """
    hits = hits or own_hits(frame)
    overall = paired_differences(frame, baseline, hits=hits)["difference"]
    only_hard = frame.copy()
    only_hard[hits] = [
        hits_to_text(text_to_hits(run[hits])[~_easy(run)]) if run["error"] == "" else ""
        for _, run in frame.iterrows()
    ]
    hard = paired_differences(only_hard, baseline, hits=hits)
    found = pd.DataFrame({"gain": overall, "hard_gain": hard["difference"]})
    found[["low", "high"]] = hard[["low", "high"]]
    gained = found["gain"].where(found["gain"] > 0)
    return found.assign(share=found["hard_gain"] / gained)


def steps_to(frame: pd.DataFrame, dev_score: float) -> pd.DataFrame:
    """Return how many steps each arm takes until dev rows score `dev_score`.

    Dev rows are scored every ``evaluate_every`` steps, so the number is a multiple of
    it. A run that never gets there counts as infinite, which a median can bear.

    Parameters
    ----------
    frame : DataFrame
        What ``results`` returned.
    dev_score : float
        Between 0 and 1.

    Returns
    -------
    DataFrame
        Index arm; ``median``, ``fastest``, ``slowest`` (steps), ``reached`` and
        ``seeds`` (how many runs got there, of how many).
    """
    lines = {}
    for arm, runs in _by_arm(frame):
        steps = []
        for curve in runs["dev_curve"]:
            there = [step for step, score in curve if score >= dev_score]
            steps.append(min(there, default=np.inf))
        lines[arm] = {
            "median": float(np.median(steps)),
            "fastest": min(steps),
            "slowest": max(steps),
            "reached": int(np.isfinite(steps).sum()),
            "seeds": len(steps),
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def _by_arm(frame: pd.DataFrame):
    _refuse_empty(frame)
    final = frame[frame["final"]]
    return final.groupby("arm", sort=False)


def _refuse_empty(frame: pd.DataFrame) -> None:
    if frame.empty:
        raise StudyError("no runs of this study are stored: run it first")


def own_hits(frame: pd.DataFrame) -> str:
    """Return the hits that the study's metric counts."""
    _refuse_empty(frame)
    metrics = set(frame["metric"])
    if len(metrics) != 1:
        raise StudyError(
            f"these runs have the metrics {', '.join(sorted(metrics))}: say which hits "
            'count, hits="test_hits" or hits="test_correct"'
        )
    return "test_correct" if metrics == {"accuracy"} else "test_hits"


def _hits_by_seed(runs: pd.DataFrame, hits: str) -> dict[int, np.ndarray]:
    whole = runs[runs["error"] == ""]
    seeds_and_hits = zip(whole["seed"], whole[hits], strict=True)
    return {int(seed): text_to_hits(bits) for seed, bits in seeds_and_hits}


def _gaps(arm, ours: dict, baseline, theirs: dict) -> np.ndarray:
    """Return the differences of hits, shape (seeds in both, test rows)."""
    if len(theirs) == 1:
        theirs = dict.fromkeys(ours, next(iter(theirs.values())))
    elif len(ours) == 1:
        ours = dict.fromkeys(theirs, next(iter(ours.values())))
    seeds = [seed for seed in ours if seed in theirs]
    rows = {len(run[seed]) for run in (ours, theirs) for seed in seeds}
    if len(rows) != 1:
        raise StudyError(
            f"{arm!r} and {baseline!r} share no seed, or were scored on different "
            f"test rows (numbers of rows: {sorted(rows)}): compare arms of one study"
        )
    return np.array([ours[s].astype(float) - theirs[s].astype(float) for s in seeds])


def _easy(run: pd.Series) -> np.ndarray:
    """Return which test rows of a run are easy, shape (test rows,)."""
    return _easy_of(run["task"], run["test_task"], len(run["test_hits"]))


@cache
def _easy_of(task: str, test_task: str, test_rows: int) -> np.ndarray:
    # From the whole and true training split, so that all arms have the same hard rows.
    job = Job(task, "{answer}", test_task=test_task, test_rows=test_rows)
    return easy_rows(prepared_task(job)).to_numpy()
