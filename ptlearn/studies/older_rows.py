"""Checking rows of the first format, which keep neither their tables nor all losses.

Such a row is run again as a whole. A processor of another kind adds in another order.
Adam's first steps divide each gradient by its own size, which magnifies the last bits:
an LSTM's losses part by a hundredth within four steps, a bare table's within ten. So
what a repetition must meet depends on whether it rounds as the stored run did. The
first two losses tell: they are the same bit for bit, or not. Where they are not, the
score may differ by so much that the check catches little. Newer rows have a better one.
"""

from collections.abc import Mapping

import numpy as np

from .job import Job
from .run import run_job

LOSS_TOLERANCE = 1e-3
BEFORE_ROUNDING_GROWS = 2
"""Losses that no optimiser step, or one tiny one of the warm-up, has touched."""
DEVIATIONS = 3


def repeat_older(row: dict, rows: Mapping[str, dict]) -> tuple[str, ...]:
    """Run the job of a row again and return the faults.

    Where the first two losses are the stored ones bit for bit, all ten must agree to
    1e-3 (relative); elsewhere only those two must. The score must lie within three
    standard deviations over the arm's seeds, or within one test row where that is
    more. Elsewhere the deviation is that of the task's widest arm, since another path
    is another draw.

    Parameters
    ----------
    row : dict
    rows : dict of dict
        All rows by key, for the spread over seeds.
    """
    again = run_job(Job.from_row(row), row["threads"])
    return compare(row, again, spread(row, rows, own=rounds_alike(row, again)))


def rounds_alike(row: dict, again: dict) -> bool:
    """Whether the repetition begins bit for bit as the stored run."""
    first = slice(BEFORE_ROUNDING_GROWS)
    return row["first_losses"][first] == again["first_losses"][first]


def compare(row: dict, again: dict, deviation: float) -> tuple[str, ...]:
    """Return the faults of a row, given its repetition and the spread over seeds."""
    faults = []
    if bool(row["error"]) != bool(again["error"]):
        faults.append(f"error was {row['error']!r} and is {again['error']!r}")
    stored, found = row["first_losses"], again["first_losses"]
    if len(stored) != len(found):
        faults.append(f"{len(stored)} first losses are stored, {len(found)} were found")
        return tuple(faults)
    if not rounds_alike(row, again):
        stored, found = (some[:BEFORE_ROUNDING_GROWS] for some in (stored, found))
    if not np.allclose(found, stored, rtol=LOSS_TOLERANCE, atol=0):
        gaps = np.abs(np.subtract(found, stored) / np.asarray(stored))
        worst = int(np.argmax(gaps))
        faults.append(
            f"the loss of step {worst + 1} was {stored[worst]:.6g} and is "
            f"{found[worst]:.6g}"
        )
    if row["score"] is None or again["score"] is None:
        return tuple(faults)
    # One row more or less right is never a fault: an argmax can hang on rounding.
    allowed = max(DEVIATIONS * deviation, 1 / len(again["test_hits"])) + 1e-9
    if abs(row["score"] - again["score"]) > allowed:
        faults.append(
            f"the score was {row['score']:.3f} and is {again['score']:.3f}; "
            f"{allowed:.3f} is allowed"
        )
    return tuple(faults)


def spread(row: dict, rows: Mapping[str, dict], *, own: bool = True) -> float:
    """Return the standard deviation of the score over the other seeds of a row.

    The row itself is left out, or one false score would widen what is allowed. Where
    fewer than three other seeds have run (a rate that was not chosen), or with
    ``own=False``, it is the largest deviation among the settings of the task.
    """
    groups: dict[str, list[float]] = {}
    for other in rows.values():
        counts = other["task"] == row["task"] and other["key"] != row["key"]
        if counts and other["score"] is not None:
            groups.setdefault(_settings(other), []).append(other["score"])
    if not row["first_losses"]:  # nothing was trained, so nothing is spread
        return 0.0
    alike = groups.get(_settings(row), [])
    if own and len(alike) >= 3:
        return float(np.std(alike, ddof=1))
    spreads = [np.std(scores, ddof=1) for scores in groups.values() if len(scores) > 2]
    return float(max(spreads, default=0.0))


def _settings(row: dict) -> str:
    """Return what the seeds of one arm have in common, as a key."""
    return Job.from_row({**row, "seed": 0}).key
