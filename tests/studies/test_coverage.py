"""Intervals, tests and verdicts are right as often as they say, on a known truth."""

import numpy as np
import pytest
from simulated_studies import STORED, hits, normal_blocks

from ptlearn.studies.inference import Comparison, crossed_mean, t_interval, t_test
from ptlearn.studies.verdict import Rule, holm

STUDIES = 2000
JUDGED = 700  # studies that are judged one by one
CONFIRM = [(2, 146)] * 5  # five folds, two seeds, all 731 rows
PLAIN = [(5, 200)]  # one split, five seeds
BROKEN = [(2, 147), (2, 146), (1, 146), (2, 146), (1, 146)]  # two runs broke off


def covered(blocks, confidence=0.95):
    found = crossed_mean(blocks)
    low, high = t_interval(found.mean, found.variance, found.df, confidence)
    return ((low <= 0) & (high >= 0)).mean()


@pytest.mark.parametrize("shape", [CONFIRM, PLAIN, BROKEN])
@pytest.mark.parametrize(
    "sds",
    [
        (0.03, 0.21, 0.01),
        STORED,
        (0.15, 0.17, 0.38),
        (0, 0.21, 0.38),
        (0, 0.21, 0.01),
        (0.03, 0, 0.38),
    ],
    ids=["as assumed", "as stored", "large seeds", "no seeds", "rows only", "no rows"],
)
def test_the_interval_covers_normal_differences(shape, sds):
    rng = np.random.default_rng(11)
    assert 0.93 <= covered(normal_blocks(rng, STUDIES, shape, *sds)) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("shape", [CONFIRM, PLAIN])
@pytest.mark.parametrize(("seed", "most"), [(0, 0.98), (0.2, 0.97), (0.5, 0.97)])
def test_the_interval_covers_differences_of_hits(shape, seed, most):
    rng = np.random.default_rng(12)
    ours, theirs = hits(rng, STUDIES, shape, 2, seed=seed, row=0.5).values()
    gaps = [a - b for a, b in zip(ours, theirs, strict=True)]
    assert 0.93 <= covered(gaps) <= most


def test_the_90_percent_interval_covers_too():
    rng = np.random.default_rng(13)
    assert 0.88 <= covered(normal_blocks(rng, STUDIES, CONFIRM, *STORED), 0.9) <= 0.93


def test_without_any_effect_of_seeds_or_rows_the_interval_is_too_wide():
    rng = np.random.default_rng(14)
    pure = [normal_blocks(rng, STUDIES, s, 0, 0, 0.4) for s in (CONFIRM, PLAIN)]
    assert all(0.95 < covered(blocks) <= 0.985 for blocks in pure)


def test_too_few_seeds_cannot_be_mended_by_arithmetic():
    """One seed beyond the first of each fold: why compare gives no interval there."""
    rng = np.random.default_rng(15)
    seeds = (0.15, 0.17, 0.38)
    assert covered(normal_blocks(rng, STUDIES, [(2, 200)], *seeds)) < 0.91
    for two in ([(3, 200)], [(2, 146), (2, 146)]):
        assert 0.92 <= covered(normal_blocks(rng, STUDIES, two, *seeds)) <= 0.96


def test_seeds_or_rows_alone_would_cover_too_little():
    """The faults of the earlier intervals: each held one of the two fixed."""
    rng = np.random.default_rng(16)
    blocks = normal_blocks(rng, STUDIES, PLAIN, 0.03, 0.21, 0.1)
    for axis in (-1, -2):  # only the spread of run means, or only that of row means
        means = blocks[0].mean(axis)
        count = means.shape[-1]
        variance = means.var(-1, ddof=1) / count
        low, high = t_interval(means.mean(-1), variance, count - 1, 0.95)
        assert ((low <= 0) & (high >= 0)).mean() < 0.91


def test_a_fold_that_suits_an_arm_widens_nothing():
    """Folds are fixed: the interval is about these training sets, and says so."""
    rng = np.random.default_rng(17)
    blocks = normal_blocks(rng, STUDIES, CONFIRM, *STORED)
    shifts = (-0.1, -0.05, 0, 0.05, 0.1)
    moved = [b + shift for b, shift in zip(blocks, shifts, strict=True)]
    one, other = crossed_mean(blocks), crossed_mean(moved)
    assert np.allclose(one.variance, other.variance)
    # Over new training sets, too, it would cover too little; Nadeau-Bengio is for that.
    drawn = [b + rng.normal(0, 0.05, (STUDIES, 1, 1)) for b in blocks]
    assert covered(drawn) < 0.85


# --- verdicts ----------------------------------------------------------------


def comparisons(blocks) -> list[Comparison]:
    found = crossed_mean(blocks)
    each = zip(found.mean, found.variance, found.df, strict=True)
    unused = ["fold_mean", "fold_error", "seed_sd", "row_sd", "rest_sd"]
    rest = dict.fromkeys(unused, np.nan)
    rest |= {"runs": 10, "rows": 731, "folds": 5, "missing": 0}
    return [
        Comparison("a", "b", float(m), float(v) ** 0.5, float(df), **rest)
        for m, v, df in each
    ]


def verdict_shares(blocks) -> dict[str, float]:
    judged = [Rule().verdict(one, one.p) for one in comparisons(blocks)]
    return {v: judged.count(v) / len(judged) for v in set(judged)}


# LSTM, MLP, residual and mixed against bare; words against random; residual words
# against bare words. Arms: 0 bare, 1 LSTM, 2 MLP, 3 residual, 4 mixed, 5 bare words, 6
# residual words.
FAMILY = [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 5)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0.1, 1.0])
def test_a_family_without_differences_has_few_false_verdicts(seed):
    studies = 1000
    arms = hits(np.random.default_rng(18), studies, CONFIRM, 7, seed=seed, row=0.5)
    families = [
        comparisons([a - b for a, b in zip(arms[i], arms[j], strict=True)])
        for i, j in FAMILY
    ]
    uncorrected = rejected = judged = 0
    for family in zip(*families, strict=True):
        p = np.array([one.p for one in family])
        corrected = holm(p)
        uncorrected += (p < 0.05).any()
        rejected += (corrected < 0.05).any()
        words = [Rule().verdict(*pair) for pair in zip(family, corrected, strict=True)]
        judged += bool({"better", "worse"} & set(words))
    assert uncorrected / studies > 0.1, "six chances are more than one"
    # Two standard errors of 1,000 studies above 5 %.
    assert rejected / studies <= 0.064
    assert judged <= rejected


def test_a_difference_at_the_margin_is_called_equivalent_in_at_most_5_percent():
    blocks = normal_blocks(np.random.default_rng(19), STUDIES, CONFIRM, *STORED)
    shares = verdict_shares([block + 0.05 for block in blocks])
    assert shares.get("equivalent", 0) <= 0.06


@pytest.mark.slow
def test_no_difference_is_found_to_be_none():
    rng = np.random.default_rng(20)
    shares = verdict_shares(normal_blocks(rng, JUDGED, CONFIRM, 0.03, 0.21, 0.01))
    assert shares["equivalent"] > 0.95
    # The rest that two seeds leave is larger than was assumed: .8, and .95 with three.
    shares = verdict_shares(normal_blocks(rng, JUDGED, CONFIRM, *STORED))
    assert 0.77 < shares["equivalent"] < 0.87
    three = [(3, rows) for _, rows in CONFIRM]
    shares = verdict_shares(normal_blocks(rng, JUDGED, three, *STORED))
    assert shares["equivalent"] > 0.93
    single = [(5, 146)]
    shares = verdict_shares(normal_blocks(rng, JUDGED, single, *STORED))
    assert shares.get("equivalent", 0) < 0.5


def test_a_large_difference_is_found():
    blocks = normal_blocks(np.random.default_rng(21), JUDGED, CONFIRM, *STORED)
    up = verdict_shares([block + 0.1 for block in blocks])
    down = verdict_shares([block - 0.1 for block in blocks])
    assert up["better"] > 0.95 and "worse" not in up
    assert down["worse"] > 0.95 and "better" not in down


def test_p_values_are_uniform_where_nothing_differs():
    rng = np.random.default_rng(22)
    found = crossed_mean(normal_blocks(rng, STUDIES, CONFIRM, 0.1, 0.21, 0.38))
    p = t_test(found.mean, found.variance, found.df)
    for level in (0.05, 0.2, 0.5):
        assert abs((p < level).mean() - level) < 0.04
