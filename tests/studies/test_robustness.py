"""How reliable and how fast arms are."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulated_studies import frame_of, untrained

from ptlearn.errors import StudyError
from ptlearn.studies import reliability, steps_to_loss
from ptlearn.studies.robustness import _distances, _spread_p

FOLDS = (1, 2, 3, 4, 5)


def run_of(score: float):
    return np.arange(100) < round(100 * score)


def study(**spreads):
    """Arms around .5 with the given spread over seeds, and a wording that has .4.

    Odd folds are easier, for all arms.
    """
    rng = np.random.default_rng(0)
    arms = {
        arm: {
            (f, 10 * f + s): run_of(0.5 + 0.2 * (f % 2) + rng.normal(0, spread))
            for f in FOLDS
            for s in (0, 1)
        }
        for arm, spread in spreads.items()
    }
    arms["wording"] = {(f, 0): run_of(0.4 + 0.2 * (f % 2)) for f in FOLDS}
    return untrained(frame_of(arms), "wording")


def test_runs_below_the_wording_are_counted_on_their_own_fold():
    frame = study(calm=0.01, wild=0.01)
    low = (frame["arm"] == "wild") & frame["seed"].isin([10, 20])
    # .55 is above the wording of an even fold (.4), below that of an odd one (.6).
    frame.loc[low, "score"] = 0.55
    found = reliability(frame, "wording")
    assert list(found.index) == ["calm", "wild"]
    assert found.loc["calm", "below"] == 0 and found.loc["wild", "below"] == 1
    line = found.loc["wild"]
    assert line["share"] == 0.1 and line["runs"] == 10
    # Clopper-Pearson by the quantiles of the beta distribution.
    assert line["low"] == pytest.approx(stats.beta.ppf(0.025, 1, 10))
    assert line["high"] == pytest.approx(stats.beta.ppf(0.975, 2, 9))
    assert found.loc["calm", "high"] == pytest.approx(1 - 0.025 ** (1 / 10))


def test_a_run_that_broke_off_is_below_and_equal_is_not():
    frame = study(calm=0.01)
    frame.loc[0, ["error", "score"]] = ["the loss was not finite", None]
    frame.loc[2, "score"] = 0.4  # fold 2: exactly the wording
    line = reliability(frame, "wording").loc["calm"]
    assert line["failed"] == 1 and line["below"] == 1


def test_the_spread_is_that_of_seeds_not_of_easy_folds():
    found = reliability(study(calm=0.01, wild=0.08), "wording", "calm")
    raw = study(calm=0.01).query("arm == 'calm'")["score"].astype(float).std()
    assert raw > 0.08, "folds differ"
    assert 0.004 < found.loc["calm", "sd"] < 0.02
    assert 0.04 < found.loc["wild", "sd"] < 0.14
    assert found.loc["wild", "spread_p"] < 0.1
    assert np.isnan(found.loc["calm", "spread_p"])


@pytest.mark.slow
def test_brown_forsythe_rejects_equal_spreads_rarely():
    """With two runs a fold, deviations from the fold's mean would count twice."""
    rejected = {"calm": 0, "wild": 0}
    rng = np.random.default_rng(1)
    fold, seed = np.repeat(FOLDS, 3), np.arange(15)
    for _ in range(200):
        numbers = {}
        for arm, sd in [("base", 0.02), ("calm", 0.02), ("wild", 0.15)]:
            scores = 0.05 * fold + rng.normal(0.5, sd, 15)
            runs = pd.DataFrame({"cv_fold": fold, "seed": seed, "score": scores})
            numbers[arm] = _distances(runs[:-3] if arm == "wild" else runs)
        for arm in rejected:
            rejected[arm] += _spread_p(numbers[arm], numbers["base"]) < 0.05
    assert rejected["calm"] / 200 <= 0.08 and rejected["wild"] / 200 > 0.6


def test_brown_forsythe_is_scipys_on_one_split():
    rng = np.random.default_rng(2)
    arms = {a: {(None, s): run_of(rng.uniform()) for s in range(5)} for a in "ab"}
    arms["wording"] = {(None, 0): run_of(0.4)}
    frame = untrained(frame_of(arms), "wording")
    a, b = (frame.loc[frame["arm"] == arm, "score"].astype(float) for arm in "ab")
    found = reliability(frame, "wording", "a").loc["b"]
    assert found["spread_p"] == pytest.approx(stats.levene(a, b).pvalue)
    assert found["sd"] == pytest.approx(b.std())


def test_a_fold_can_be_left_out():
    found = reliability(study(calm=0.01), "wording", without_folds=(1,))
    assert found.loc["calm", "runs"] == 8


def test_a_floor_is_one_run_on_every_fold():
    frame = study(calm=0.01)
    for floor, message in [("none", "no arm called"), ("calm", "several runs on")]:
        with pytest.raises(StudyError, match=message):
            reliability(frame, floor)
    with pytest.raises(StudyError, match="no run on fold 3"):
        lacks = (frame["arm"] == "wording") & (frame["cv_fold"] == 3)
        reliability(frame[~lacks], "wording")
    with pytest.raises(StudyError, match="no trained arm called 'wording'"):
        reliability(frame, "wording", "wording")


# --- speed -----------------------------------------------------------------------


def curve(first_below: int | None, last=200):
    """Dev losses each 20 steps: 3 nats, and 1 from the given step on."""
    never = first_below is None
    looks = range(0, last + 1, 20)
    return [[step, 3.0 if never or step < first_below else 1.0] for step in looks]


def speeds(**steps):
    arms = {
        arm: {(1, 10 + s): [1, 0] for s in range(len(each))}
        for arm, each in steps.items()
    }
    curves = [curve(step) for each in steps.values() for step in each]
    return frame_of(arms).assign(dev_losses=curves)


def test_steps_to_a_loss_name_the_runs_that_never_get_there():
    found = steps_to_loss(speeds(a=[40, 60, None], b=[None, None, 20]), 2.0)
    line = found.loc["a"]
    assert (line["median"], line["fastest"], line["reached"]) == (60, 40, 2)
    assert line["censored"] == 1 and line["censored_runs"] == ("fold 1, seed 12",)
    assert found.loc["b", "median"] == np.inf and found.loc["b", "fastest"] == 20
    assert "logrank_p" not in found


def test_an_even_number_of_runs_has_no_median_between_a_step_and_never():
    assert steps_to_loss(speeds(a=[40, None]), 2.0).loc["a", "median"] == np.inf
    assert steps_to_loss(speeds(a=[40, 60]), 2.0).loc["a", "median"] == 60


def test_a_run_that_broke_off_is_censored():
    frame = speeds(a=[40, 60, 80])
    frame.at[0, "dev_losses"] = None
    frame.at[1, "dev_losses"] = [[0, 3.0], [20, np.nan]]
    line = steps_to_loss(frame, 2.0).loc["a"]
    assert line["censored_runs"] == ("fold 1, seed 10", "fold 1, seed 11")


def test_the_logrank_test_tells_fast_from_slow():
    slow = [100, 120, 140, 160, None]
    frame = speeds(fast=[20, 40, 40, 60, 60], slow=slow, same=[20, 40, 60, 60, 40])
    p = steps_to_loss(frame, 2.0, "fast")["logrank_p"]
    assert p["slow"] < 0.05 < p["same"] and np.isnan(p["fast"])
    assert steps_to_loss(frame, 0.5, "fast")["logrank_p"].isna().all(), "none got there"


def test_the_fastest_rate_may_be_another_than_the_best():
    frame = speeds(a=[80, 80], b=[20, 20])
    frame = frame.assign(
        arm="a", lr=[0.1, 0.1, 0.3, 0.3], final=[True] * 2 + [False] * 2
    )
    frame = frame.assign(seed=[10, 11, 0, 1])
    assert steps_to_loss(frame, 2.0).loc["a", "median"] == 80
    found = steps_to_loss(frame, 2.0, each_rate=True)
    assert found.loc[("a", 0.3), "median"] == 20
    with pytest.raises(StudyError, match="leave out baseline"):
        steps_to_loss(frame, 2.0, "a", each_rate=True)


def test_runs_without_dev_losses_are_refused():
    with pytest.raises(StudyError, match="no dev losses"):
        steps_to_loss(study(calm=0.01), 2.0)
    with pytest.raises(StudyError, match="no trained arm called 'b'"):
        steps_to_loss(speeds(a=[20]), 2.0, "b")
