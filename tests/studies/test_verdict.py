"""The rule: a verdict is computed from a comparison, and from nothing else."""

import numpy as np
import pandas as pd
import pytest
from simulated_studies import frame_of, hits

from ptlearn.errors import StudyError
from ptlearn.studies import Rule, verdicts
from ptlearn.studies.inference import Comparison
from ptlearn.studies.verdict import holm


def comparison(difference, standard_error, df=100.0):
    unused = ["fold_mean", "fold_error", "seed_sd", "row_sd", "rest_sd"]
    rest = dict.fromkeys(unused, np.nan)
    counts = {"runs": 10, "rows": 731, "folds": 5, "missing": 0}
    return Comparison("a", "b", difference, standard_error, df, **rest, **counts)


@pytest.mark.parametrize(
    ("difference", "standard_error", "verdict"),
    [
        (0.08, 0.02, "better"),
        (-0.08, 0.02, "worse"),
        (0.0, 0.02, "equivalent"),
        (0.02, 0.005, "equivalent"),  # surely there, and too small to matter
        (0.0, 0.04, "undecided"),  # no difference was found; none was excluded
        (0.045, 0.01, "undecided"),  # there, and perhaps large enough
        (0.08, 0.05, "undecided"),  # large, but may be luck
        (0.05, 0.01, "better"),  # at least .05
        (0.0, np.nan, "undecided"),
        (0.2, np.nan, "undecided"),
    ],
)
def test_the_rule(difference, standard_error, verdict):
    found = comparison(difference, standard_error)
    assert Rule().verdict(found, found.p) == verdict


def test_the_corrected_p_value_decides():
    found = comparison(0.08, 0.035)
    assert found.p < 0.05 and Rule().verdict(found, found.p) == "better"
    assert Rule().verdict(found, 6 * found.p) == "undecided"


def test_better_and_equivalent_never_hold_together():
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        found = comparison(rng.normal(0, 0.05), rng.uniform(0.001, 0.05))
        verdict = Rule().verdict(found, found.p)
        seen.add(verdict)
        assert (verdict == "equivalent") <= (abs(found.difference) < 0.05)
    assert seen == {"better", "worse", "equivalent", "undecided"}


def test_another_rule_gives_another_verdict():
    found = comparison(0.08, 0.02)
    assert Rule(smallest_effect=0.2).verdict(found, found.p) == "equivalent"
    assert Rule(confidence=0.9999).verdict(found, found.p) == "undecided"


@pytest.mark.parametrize(
    "wrong",
    [{"smallest_effect": 0}, {"confidence": 95}, {"equivalence_confidence": 0}],
)
def test_a_rule_without_sense_is_refused(wrong):
    with pytest.raises(StudyError, match=next(iter(wrong))):
        Rule(**wrong)


def test_holm_by_hand():
    # .01 x 4; .02 x 3; .03 x 2, raised to the one before; .2 x 1.
    corrected = holm([0.02, 0.2, 0.01, 0.03])
    assert corrected == pytest.approx([0.06, 0.2, 0.04, 0.06])
    assert holm([0.6, 0.7]).tolist() == [1, 1]
    with_gap = holm([0.02, np.nan])
    assert with_gap[0] == pytest.approx(0.04) and np.isnan(with_gap[1])


@pytest.fixture(scope="module")
def frame():
    """Four arms, alike but for one that misses many rows."""
    rng = np.random.default_rng(1)
    found = hits(rng, 1, [(3, 100)] * 5, 4, seed=0.05, row=0.1)
    found[3] = [block * (rng.random(block.shape) > 0.4) for block in found[3]]
    names = ["bare", "lstm", "mlp", "spoilt"]
    arms = {
        name: {
            (fold, 10 * fold + s): blocks[fold][0, s]
            for fold in range(5)
            for s in range(3)
        }
        for name, blocks in zip(names, found.values(), strict=True)
    }
    return frame_of(arms)


CONTRASTS = {
    "LSTM": ("lstm", "bare"),
    "spoilt": ("spoilt", "bare"),
    "bare": ("bare", "spoilt"),
}


def test_a_family_is_judged_together(frame):
    found = verdicts(frame, CONTRASTS)
    assert list(found.index) == list(CONTRASTS)
    assert found.loc["spoilt", "verdict"] == "worse"
    assert found.loc["bare", "verdict"] == "better"
    assert found.loc["LSTM", "verdict"] in ("equivalent", "undecided")
    assert found["p_holm"].tolist() == pytest.approx(holm(found["p"]).tolist())
    assert (found["low"] < found["low90"]).all()
    assert (found["high90"] < found["high"]).all()
    assert (found["runs"] == 15).all() and (found["rows"] == 500).all()


def test_contrasts_may_be_a_list_and_folds_left_out(frame):
    as_list = [(name, *arms) for name, arms in CONTRASTS.items()]
    pd.testing.assert_frame_equal(verdicts(frame, as_list), verdicts(frame, CONTRASTS))
    pairs = verdicts(frame, [("lstm", "bare"), ("mlp", "bare")])
    assert list(pairs.index) == ["lstm against bare", "mlp against bare"]
    found = verdicts(frame, as_list, without_folds=(1,))
    assert (found["folds"] == 4).all()


def test_columns_are_named_after_the_rule(frame):
    found = verdicts(frame, CONTRASTS, Rule(equivalence_confidence=0.8))
    assert {"low80", "high80"} < set(found.columns)


def test_a_family_needs_contrasts_with_names_of_their_own(frame):
    for family in ([], [("x", "lstm", "bare"), ("x", "mlp", "bare")]):
        with pytest.raises(StudyError, match="at least one contrast"):
            verdicts(frame, family)
