"""The rule that turns a comparison into a verdict. Nobody types a verdict.

The rule, in words. It was written down before the runs that it judges.

- The smallest difference of interest is 5 points (.05) of the study's metric.
- *Better* or *worse*: the test rejects "no difference" at 5 %, after Holm's correction
  for all contrasts of the family, and the difference found is at least .05. So chance
  alone hardly gives it, and the best guess of it is of interest. The true difference
  may still be smaller than .05: read the interval.
- *Equivalent*: the whole 90 % interval lies between -.05 and +.05. This is two
  one-sided tests at 5 % each (Schuirmann 1987). A difference that the test finds, but
  whose 90 % interval lies within .05, is equivalent too: it is there and too small to
  matter.
- *Undecided*: everything else, and every contrast with too few seeds for an interval.
  Undecided does not mean "no difference". It means that these runs cannot say.

*Better* and *equivalent* never hold together: if the 90 % interval lies within .05, so
does the difference in its middle.

How Holm's correction and the intervals belong together. The intervals are those of each
contrast alone. The p-value is corrected: the more contrasts, the more often one of them
looks different by luck. A corrected p below .05 therefore always comes with a 95 %
interval without 0, but not the other way round. Equivalence is not corrected: each
contrast is wrongly called equivalent with at most 5 %.

What the intervals cover is said in :mod:`ptlearn.studies.inference`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import StudyError
from .inference import Comparison, compare


@dataclass(frozen=True)
class Rule:
    """What decides between better, worse, equivalent and undecided.

    Attributes
    ----------
    smallest_effect : float
        Smallest difference of interest, in units of the metric.
    confidence : float
        Of the reported interval; its complement is the level of the tests.
    equivalence_confidence : float
        Of the interval that must lie within the smallest effect.

    Raises
    ------
    StudyError
        If the effect is not positive, or a confidence not between 0 and 1.
    """

    smallest_effect: float = 0.05
    confidence: float = 0.95
    equivalence_confidence: float = 0.90

    def __post_init__(self):
        if not self.smallest_effect > 0:
            raise StudyError(f"smallest_effect={self.smallest_effect} is not positive")
        for name in ("confidence", "equivalence_confidence"):
            if not 0 < getattr(self, name) < 1:
                raise StudyError(f"{name}={getattr(self, name)} is not in (0, 1)")

    def verdict(self, found: Comparison, p_holm: float) -> str:
        """Return ``"better"``, ``"worse"``, ``"equivalent"`` or ``"undecided"``.

        Parameters
        ----------
        found : Comparison
        p_holm : float
            Its p-value, corrected for the family.
        """
        low, high = found.interval(self.equivalence_confidence)
        if -self.smallest_effect < low and high < self.smallest_effect:
            return "equivalent"
        differs = p_holm < 1 - self.confidence
        if differs and abs(found.difference) >= self.smallest_effect:
            return "better" if found.difference > 0 else "worse"
        return "undecided"


def holm(p_values: Iterable[float]) -> np.ndarray:
    """Return p-values corrected for their number by Holm's method (1979).

    A contrast without p-value (NaN) still counts: it was asked. It stays NaN.
    """
    p = np.array(list(p_values), dtype=float)
    order = np.argsort(p)  # NaN come last
    steps = p[order] * np.arange(len(p), 0, -1)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def verdicts(
    frame: pd.DataFrame,
    contrasts: Mapping[str, tuple[str, str]] | Iterable[tuple[str, ...]],
    rule: Rule | None = None,
    *,
    outcome: str | None = None,
    without_folds: Collection[int] = (),
) -> pd.DataFrame:
    """Judge a family of contrasts by one rule.

    Parameters
    ----------
    frame : DataFrame
        What ``results`` returned.
    contrasts : mapping or iterable
        ``{name: (arm, baseline)}``, or (name, arm, baseline), or (arm, baseline) as a
        staged study has them, named "arm against baseline". All of them are one family
        for Holm's correction.
    rule : Rule, optional
        None: ``Rule()``.
    outcome, without_folds
        As in :func:`~ptlearn.studies.inference.compare`.

    Returns
    -------
    DataFrame
        Index contrast; ``arm``, ``baseline``, ``difference``, ``low`` and ``high``
        (95 % interval), ``low90`` and ``high90`` (the interval for equivalence; the
        number is that of the rule), ``folds_low90`` and ``folds_high90`` (the same by
        the corrected resampled t, which allows for other training sets), ``p``,
        ``p_holm``, ``runs``, ``rows``, ``folds``, ``missing``, ``verdict``.

    Raises
    ------
    StudyError
        If there are no contrasts or two with one name, and as in
        :func:`~ptlearn.studies.inference.compare`.
    """
    rule = rule or Rule()
    if isinstance(contrasts, Mapping):
        contrasts = [(name, *arms) for name, arms in contrasts.items()]
    contrasts = [_named(*contrast) for contrast in contrasts]
    names = [name for name, _, _ in contrasts]
    if not names or len(set(names)) < len(names):
        raise StudyError("a family needs at least one contrast, and different names")
    found = [
        compare(frame, arm, baseline, outcome=outcome, without_folds=without_folds)
        for _, arm, baseline in contrasts
    ]
    p_holm = holm(one.p for one in found)
    lines = [_line(one, p, rule) for one, p in zip(found, p_holm, strict=True)]
    return pd.DataFrame(lines, index=pd.Index(names, name="contrast"))


def _named(*contrast: str) -> tuple[str, str, str]:
    if len(contrast) == 2:
        return f"{contrast[0]} against {contrast[1]}", *contrast
    return contrast


def _line(found: Comparison, p_holm: float, rule: Rule) -> dict:
    low, high = found.interval(rule.confidence)
    narrow_low, narrow_high = found.interval(rule.equivalence_confidence)
    folds_low, folds_high = found.interval_over_folds(rule.equivalence_confidence)
    percent = f"{100 * rule.equivalence_confidence:g}"
    return {
        "arm": found.arm,
        "baseline": found.baseline,
        "difference": found.difference,
        "low": low,
        "high": high,
        f"low{percent}": narrow_low,
        f"high{percent}": narrow_high,
        f"folds_low{percent}": folds_low,
        f"folds_high{percent}": folds_high,
        "p": found.p,
        "p_holm": float(p_holm),
        "runs": found.runs,
        "rows": found.rows,
        "folds": found.folds,
        "missing": found.missing,
        "verdict": rule.verdict(found, p_holm),
    }
