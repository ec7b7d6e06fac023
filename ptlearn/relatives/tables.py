"""What the comparison says, in tables. Whatever is missing is said, never guessed.

Where a method's trials are not all there, its scores are shown with how many there are,
and it has no verdict.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..studies.inference import crossed_mean, t_interval
from ..studies.run import text_to_hits
from ..studies.store import default_folder, read_folder
from ..studies.verdict import Rule, verdicts
from .catalogue import FEW, RelativesStudy
from .run import folder_of
from .trial import METHODS, PROBE, PROMPTS, SETTINGS

BASELINE = "prompt tuning"
"""What every other method is compared with: the smallest that trains a prompt."""
NOT_COMPLETE = "not complete"
UNCHANGED = (
    "best wording",
    "8 demonstrations",
    *PROMPTS,
    "prefix tuning",
    PROBE,
)
"""Methods that leave the language model as it is, for rows that they don't touch."""


def relatives_summary(
    frame: pd.DataFrame, study: RelativesStudy | None = None
) -> pd.DataFrame:
    """Return one line for each method, task and number of rows.

    Parameters
    ----------
    frame : DataFrame
        What ``relatives_results`` returned.
    study : RelativesStudy, optional
        Says how many trials there should be; None: the course's.

    Returns
    -------
    DataFrame
        Index ``task``, ``rows`` (0: all), ``method``. ``runs`` and ``planned``;
        ``broke``: trials that broke off. ``score`` by the task's metric, of a probe
        always by accuracy, with ``low`` and ``high``: the 95 % interval over seeds and
        rows, of a single trial over rows alone. ``accuracy``: the same for all methods.
        ``rate``; ``trained``, ``kept``, ``bytes`` and ``peak_mb`` (of training; of an
        untrained method, of answering), by the short trial that shows the cost.
        ``other``: what the model scores on the other task with the trained numbers left
        on (a prefix stands before those rows, too); ``before``: what it scored there
        unchanged; ``forgets``: the difference, 0 where the model is not changed. Empty
        columns are not known yet.
    """
    study, lines = study or RelativesStudy(), {}
    counted = frame[frame["final"].astype(bool)] if len(frame) else frame
    for (method, task, size), planned in study.planned().items():
        runs = counted[
            (counted["arm"] == method)
            & (counted["task"] == task)
            & (counted["rows"] == size)
        ]
        whole = runs[runs["error"] == ""]
        line = {"runs": len(whole), "planned": planned, "broke": len(runs) - len(whole)}
        if len(whole):
            line |= _numbers(whole, method, task, counted)
        costs = frame[(frame["arm"] == method) & (frame["task"] == task)]
        line |= _costs(costs[costs["stage"] == "cost"])
        lines[task, size, method] = line
    index = pd.MultiIndex.from_tuples(lines, names=["task", "rows", "method"])
    columns = [
        *("runs", "planned", "broke", "score", "low", "high", "accuracy", "rate"),
        *("trained", "kept", "bytes", "peak_mb", "other", "before"),
        "forgets",
    ]
    return pd.DataFrame(list(lines.values()), index=index, columns=columns)


def _numbers(runs: pd.DataFrame, method: str, task: str, counted: pd.DataFrame) -> dict:
    strict = SETTINGS[task].metric == "p_at_1" and method != PROBE
    score, low, high = score_interval(runs["test_hits" if strict else "test_correct"])
    line = {"score": score, "low": low, "high": high}
    line |= {"accuracy": _hits(runs["test_correct"]).mean()}
    line |= {"rate": runs["lr"].iloc[0]}
    line |= {"forgets": 0.0} if method in UNCHANGED else {}
    left_on = runs[runs["other_hits"].fillna("") != ""]["other_hits"]
    before = _untouched(counted, SETTINGS[task].other, left_on)
    if before is None:
        return line
    other = _hits(left_on).mean()
    return {"forgets": before - other} | line | {"other": other, "before": before}


def _costs(runs: pd.DataFrame) -> dict:
    """Return what a method costs, by its short trial."""
    if runs.empty:
        return {}
    run = runs.iloc[0]
    peak = run.get("peak_training_mb")
    return {name: run[name] for name in ("trained", "kept", "bytes")} | {
        "peak_mb": run["peak_mb"] if pd.isna(peak) else peak
    }


def score_interval(hits: Sequence[str]) -> tuple[float, float, float]:
    """Return the mean of some trials' hits, with its 95 % interval: (mean, low, high).

    Over seeds and test rows together; of a single trial over rows alone.
    """
    found = crossed_mean([_hits(hits)])
    low, high = t_interval(found.mean, found.variance, found.df, 0.95)
    return float(found.mean), max(0.0, float(low)), min(1.0, float(high))


def _hits(texts: Sequence[str]) -> np.ndarray:
    """Turn texts of 0 and 1 into an array, (trials, rows)."""
    return np.array([text_to_hits(text) for text in texts], dtype=float)


def _untouched(counted: pd.DataFrame, other: str, hits: Sequence[str]) -> float | None:
    """Return what the unchanged model scores on the same rows of the other task."""
    wording = counted[(counted["arm"] == METHODS[0]) & (counted["task"] == other)]
    if wording.empty or not len(hits):
        return None
    strict = SETTINGS[other].metric == "p_at_1"
    text = wording["test_hits" if strict else "test_correct"].iloc[0]
    return float(_hits([text[: len(hits.iloc[0])]]).mean())


def relatives_verdicts(
    frame: pd.DataFrame,
    task: str,
    rows: int = FEW,
    study: RelativesStudy | None = None,
    rule: Rule | None = None,
) -> pd.DataFrame:
    """Judge every method against prompt tuning, by the rule of all studies.

    Parameters
    ----------
    frame : DataFrame
        What ``relatives_results`` returned.
    task : str
    rows : int
        Training rows; 0 is all.

    Returns
    -------
    DataFrame
        Index method. ``difference``, ``low``, ``high``, ``low90``, ``high90``,
        ``p_holm`` and ``verdict``, which is "not complete" while trials of one of the
        two are missing; ``runs``: how many there are, as "3 of 5". Where the metric is
        P@1 the probe is left out: it has no vocabulary to be right in.
    """
    study = study or RelativesStudy()
    table = _of(relatives_summary(frame, study), task, rows)
    if SETTINGS[task].metric == "p_at_1":
        table = table.drop(PROBE, errors="ignore")
    ended = table["runs"] + table["broke"]
    complete = [m for m in table.index if ended[m] >= table.loc[m, "planned"]]
    lines = pd.DataFrame(index=pd.Index(table.index.drop(BASELINE), name="method"))
    lines["runs"] = [f"{ended[m]} of {table.loc[m, 'planned']}" for m in lines.index]
    lines["verdict"] = NOT_COMPLETE
    names = ["difference", "low", "high", "low90", "high90", "p_holm"]
    lines[names] = np.nan
    judged = [m for m in complete if m != BASELINE]
    if BASELINE not in complete or not judged:
        return lines
    own = frame[(frame["task"] == task) & (frame["rows"] == rows)]
    found = verdicts(own, {m: (m, BASELINE) for m in judged}, rule)
    lines.loc[judged, [*names, "verdict"]] = found[[*names, "verdict"]]
    return lines


def customers_table(
    summary: pd.DataFrame, customers: Sequence[int] = (1, 10, 100, 1000)
) -> pd.DataFrame:
    """Return the bytes on disk for so many customers on one language model.

    Parameters
    ----------
    summary : DataFrame
        Lines of ``relatives_summary`` of one task and number of rows, index method.

    Returns
    -------
    DataFrame
        Index method, a column for each number of customers: measured bytes times
        customers, and the language model once. A fully tuned model is its own.
    """
    known = summary[summary["bytes"].notna()]
    if "full fine-tuning" not in known.index:
        return pd.DataFrame(index=known.index)
    shared = known.loc["full fine-tuning", "bytes"]
    table = {
        n: [
            n * size + (0 if method == "full fine-tuning" else shared)
            for method, size in known["bytes"].items()
        ]
        for n in customers
    }
    return pd.DataFrame(table, index=known.index)


def timing_summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Return seconds a step and milliseconds an answer, a line for each method.

    Parameters
    ----------
    frame : DataFrame
        What ``timings`` returned.
    """
    if frame.empty:
        return pd.DataFrame(columns=["step_seconds", "answer_ms"])
    columns = ["step_seconds", "answer_ms"]
    order = [m for m in METHODS if m in set(frame["method"])]
    return frame.pivot(index="method", columns="task", values=columns).loc[order]


def decision_guide(frame: pd.DataFrame, study: RelativesStudy | None = None) -> dict:
    """Return, for each task and number of rows, what the rows advise, in one sentence.

    The rule: where trials are missing the rows cannot decide. Of the methods that are
    found better than prompt tuning, take one without training, else the one that keeps
    the fewest numbers. If none is better, one without training that is equivalent will
    do, and else prompt tuning.

    Returns
    -------
    dict
        (task, rows) to a sentence.
    """
    study = study or RelativesStudy()
    summary, guide = relatives_summary(frame, study), {}
    for task in study.tasks:
        for rows in study.sizes:
            found = relatives_verdicts(frame, task, rows, study)
            lines = _of(summary, task, rows).loc[[BASELINE, *found.index]]
            guide[task, rows] = _advice(found, lines)
    return guide


def _of(summary: pd.DataFrame, task: str, rows: int) -> pd.DataFrame:
    return summary.xs((task, rows), level=("task", "rows"))


def _advice(found: pd.DataFrame, summary: pd.DataFrame) -> str:
    waiting = found[found["verdict"] == NOT_COMPLETE]
    if len(waiting):
        there = int((summary["runs"] + summary["broke"]).sum())
        wanted = int(summary["planned"].sum())
        return (
            f"the rows cannot decide yet: {there} of {wanted} runs are there, and "
            f"{len(waiting)} of {len(found)} comparisons are not complete"
        )
    better = found.index[found["verdict"] == "better"]
    free = better.intersection(METHODS[:2])
    if not len(better):
        untrained = found.loc[found.index.intersection(METHODS[:2]), "verdict"]
        free = untrained.index[untrained == "equivalent"]
    if len(free):
        return f"no training is needed: {free[0]} is {found.loc[free[0], 'verdict']}"
    if len(better):
        cheapest = summary.loc[better, "kept"].astype(float).idxmin()
        names = "; ".join(better)
        return f"better than {BASELINE}: {names}. Of these, {cheapest} keeps the least"
    undecided = (found["verdict"] == "undecided").sum()
    return (
        f"take {BASELINE}: nothing is found better; "
        f"{undecided} of {len(found)} comparisons are undecided"
    )


def plan_table(study: RelativesStudy, folder: str | Path | None = None) -> str:
    """Return the plan with its estimated minutes of one process, as text."""
    rows = read_folder(folder_of(folder, default_folder()))
    table = pd.DataFrame(study.plan(rows))
    text = table.to_string(index=False)
    per_size = table.groupby("rows", sort=False)[["left", "minutes"]].sum()
    sums = "; ".join(
        f"{size} rows: {int(line['left'])} runs, {line['minutes']:.0f} process-minutes"
        for size, line in per_size.iterrows()
    )
    return f"{text}\n\nLeft: {sums}. Two processes take half of that."


def missing_runs(frame: pd.DataFrame, study: RelativesStudy | None = None) -> str:
    """Say in one sentence which trials there are, and which are not."""
    summary = relatives_summary(frame, study)
    parts = []
    for (task, rows), lines in summary.groupby(level=["task", "rows"], sort=False):
        there = int((lines["runs"] + lines["broke"]).sum())
        parts.append(
            f"{task}, {rows or 'all'} rows: {there} of {int(lines['planned'].sum())}"
        )
    return "; ".join(parts)
