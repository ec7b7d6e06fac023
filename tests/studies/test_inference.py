"""Comparing two arms: pairs of runs, the mean over seeds and rows, its interval."""

import numpy as np
import pytest
from scipy import stats
from simulated_studies import frame_of, hits, untrained

from ptlearn.errors import StudyError
from ptlearn.studies import compare
from ptlearn.studies.inference import crossed_mean, t_interval, t_test
from ptlearn.studies.pairing import paired


def five_folds(gain=0.0, rows=30):
    """Two arms, five folds of two seeds; `gain` is a chance of turning a 0 into a 1."""
    rng = np.random.default_rng(0)
    ours, theirs = hits(rng, 1, [(2, rows)] * 5, 2, seed=0.3, row=0.5).values()
    lucky = [np.maximum(a, rng.random(a.shape) < gain) for a in ours]
    return frame_of({"lstm": by_run(lucky), "bare": by_run(theirs)})


def by_run(blocks):
    runs = [(f, s) for f, block in enumerate(blocks, 1) for s in range(block.shape[1])]
    return {(f, 10 * f + s): blocks[f - 1][0, s] for f, s in runs}


# --- the estimate --------------------------------------------------------------


def test_the_components_of_a_table_that_can_be_worked_by_hand():
    table = np.array([[1.0, 2, 3], [3, 4, 8]])
    found = crossed_mean([table])
    # Means of runs 2 and 5, of rows 2, 3, 5.5; mean squares 13.5, 6.5 and 1.5.
    assert found.mean == 3.5
    assert found.rest == pytest.approx(1.5)
    assert found.seed == pytest.approx((13.5 - 1.5) / 3)
    assert found.row == pytest.approx((6.5 - 1.5) / 2)
    assert found.variance == pytest.approx((13.5 + 6.5 - 1.5) / 6)
    wanted = (13.5 + 6.5 - 1.5) ** 2 / (13.5**2 / 1 + 6.5**2 / 2 + 1.5**2 / 2)
    assert found.df == pytest.approx(wanted)


def test_one_run_is_a_t_test_over_rows():
    gaps = np.random.default_rng(1).normal(0.3, 1, (1, 40))
    found, wanted = crossed_mean([gaps]), stats.ttest_1samp(gaps[0], 0)
    assert t_test(*found[:3]) == pytest.approx(wanted.pvalue)
    interval = wanted.confidence_interval(0.95)
    assert t_interval(*found[:3], 0.95) == pytest.approx(tuple(interval))


def test_rows_without_differences_leave_a_t_test_over_seeds():
    seeds = np.random.default_rng(2).normal(0.3, 1, 5)
    found = crossed_mean([np.repeat(seeds[:, None], 20, axis=1)])
    assert found.df == pytest.approx(4)
    assert t_test(*found[:3]) == pytest.approx(stats.ttest_1samp(seeds, 0).pvalue)


def test_every_row_counts_the_same_whatever_its_fold():
    found = crossed_mean([np.full((2, 10), 1.0), np.full((3, 30), 0.0)])
    assert found.mean == 0.25


def test_twins_differ_by_exactly_nothing():
    bits = {(1, s): [1, 0, 1, 1] for s in range(4)}
    found = compare(frame_of({"a": bits, "b": bits}), "a", "b")
    assert found.interval() == (0, 0) and found.p == 1


# --- the pairs -----------------------------------------------------------------


def test_a_comparison_knows_its_runs_rows_and_folds():
    found = compare(five_folds(0.3), "lstm", "bare")
    assert (found.runs, found.rows, found.folds, found.missing) == (10, 150, 5, 0)
    low, high = found.interval()
    assert low < found.difference < high and found.difference > 0.05
    narrow = found.interval(0.9)
    assert low < narrow[0] and narrow[1] < high
    back = compare(five_folds(0.3), "bare", "lstm")
    assert back.difference == pytest.approx(-found.difference)
    assert back.p == pytest.approx(found.p)


def test_the_p_value_agrees_with_the_interval():
    found = compare(five_folds(0.1), "lstm", "bare")
    assert found.interval(1 - found.p)[0] == pytest.approx(0, abs=1e-12)


def test_corrected_resampled_t_by_hand():
    frame = five_folds(0.3)
    blocks = paired(frame, "lstm", "bare").blocks.values()
    means = np.array([block.mean() for block in blocks])
    # A fold's test rows are a quarter of the rows outside it.
    half = stats.t.ppf(0.95, 4) * np.sqrt(means.var(ddof=1) * (1 / 5 + 1 / 4))
    low, high = compare(frame, "lstm", "bare").interval_over_folds(0.9)
    assert (low, high) == pytest.approx((means.mean() - half, means.mean() + half))
    plain = stats.ttest_1samp(means, 0).confidence_interval(0.9)
    assert low < plain.low < plain.high < high


def test_a_fold_that_helped_to_choose_can_be_left_out():
    frame = five_folds(0.3)
    found = compare(frame, "lstm", "bare", without_folds=(1,))
    only = compare(frame[frame["cv_fold"] != 1], "lstm", "bare")
    assert (found.runs, found.rows, found.folds) == (8, 120, 4)
    assert found.difference == only.difference
    assert found.interval() == only.interval()
    assert found.difference != compare(frame, "lstm", "bare").difference
    assert found.missing == 0, "left out is not missing"


def test_a_run_that_broke_off_is_left_out_and_counted():
    frame = five_folds()
    broken = (frame["arm"] == "lstm") & (frame["seed"] == 20)
    frame.loc[broken, ["error", "test_hits"]] = ["the loss was not finite", None]
    found = compare(frame, "lstm", "bare")
    assert (found.runs, found.missing, found.rows) == (9, 1, 150)
    whole = frame.loc[~broken & ~((frame["seed"] == 20) & (frame["arm"] == "bare"))]
    assert compare(whole, "lstm", "bare").difference == found.difference


def test_seeds_are_paired_not_lines():
    frame = five_folds()
    shuffled = frame.sample(frac=1, random_state=0)
    one, other = (compare(f, "lstm", "bare") for f in (frame, shuffled))
    assert one.interval() == pytest.approx(other.interval())


def test_a_wording_stands_beside_every_seed_of_its_fold():
    arms = {
        "bare": {(f, 10 * f + s): [1, 1, 0, s] for f in (1, 2) for s in (0, 1)},
        "wording": {(1, 0): [1, 0, 0, 0], (2, 1): [0, 0, 0, 0]},
    }
    frame = untrained(frame_of(arms), "wording")
    found = compare(frame, "bare", "wording")
    assert found.runs == 4 and found.missing == 0
    assert found.difference == pytest.approx((0.25 + 0.5 + 0.5 + 0.75) / 4)
    assert compare(frame, "wording", "bare").difference == -found.difference
    # A trained arm that has one run left on a fold is no wording.
    with pytest.raises(StudyError, match="share no run"):
        compare(frame_of(arms), "bare", "wording")


def test_two_wordings_have_an_interval_over_rows_alone():
    one, other = np.random.default_rng(3).integers(0, 2, (2, 50))
    frame = frame_of({"a": {(None, 0): one}, "b": {(None, 0): other}})
    assert np.isnan(compare(frame, "a", "b").interval()).all(), "one run is no sample"
    found = compare(untrained(frame, "a", "b"), "a", "b")
    assert found.p == pytest.approx(stats.ttest_rel(one, other).pvalue)
    assert np.isnan(found.interval_over_folds()).all(), "one split has no folds"


def test_demonstrations_have_seeds_though_they_train_nothing():
    rng = np.random.default_rng(4)
    arms = {a: {(None, s): rng.integers(0, 2, 50) for s in range(5)} for a in "ab"}
    frame = untrained(frame_of(arms), "b")
    assert compare(frame, "a", "b").runs == 5


def test_too_few_seeds_give_no_interval():
    rng = np.random.default_rng(5)
    arms = {a: {(1, s): rng.integers(0, 2, 50) for s in range(2)} for a in "ab"}
    found = compare(frame_of(arms), "a", "b")
    assert np.isnan([*found.interval(), found.p]).all()
    assert not np.isnan(found.difference)


def test_the_outcome_may_be_named():
    frame = five_folds()
    log_probs = [[0.5 * int(bit) for bit in bits] for bits in frame["test_hits"]]
    frame = frame.assign(test_log_probs=log_probs)
    found = compare(frame, "lstm", "bare", outcome="test_log_probs")
    halved = compare(frame, "lstm", "bare").difference / 2
    assert found.difference == pytest.approx(halved)
    frame.at[3, "test_log_probs"] = None
    with pytest.raises(StudyError, match="holds no test_log_probs"):
        compare(frame, "lstm", "bare", outcome="test_log_probs")


def test_runs_that_only_chose_a_rate_do_not_count():
    frame = five_folds()
    frame.loc[frame["cv_fold"] == 1, "final"] = False
    assert compare(frame, "lstm", "bare").folds == 4


def doubled(frame):
    return frame.loc[[*frame.index, 0]]


def shorter(frame):
    frame.at[0, "test_hits"] = "10"
    return frame


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.assign(arm="bare"), "no arm called 'lstm' has run"),
        (doubled, "two final runs with one fold and one seed"),
        (shorter, "different test rows"),
        (lambda f: f.assign(seed=f["seed"] % 10), "seed 0 was used in two folds"),
        (lambda f: f.assign(task=["a", "b"] * 10), "several tasks: a, b"),
        (lambda f: f.assign(metric=["accuracy", "p_at_1"] * 10), "say which hits"),
        (lambda f: f.assign(cv_fold=f["cv_fold"].mask(f["cv_fold"] == 1)), "keep one"),
        (lambda f: f.assign(seed=range(20)), "share no run"),
        (lambda f: f.assign(final=False), "no final runs"),
    ],
)
def test_what_cannot_be_compared_is_refused(spoil, message):
    with pytest.raises(StudyError, match=message):
        compare(spoil(five_folds()), "lstm", "bare")
