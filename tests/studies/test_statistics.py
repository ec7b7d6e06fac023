"""What rows say: means, intervals, paired differences, hard facts."""

import numpy as np
import pandas as pd
import pytest
from small_study import BASE, STUDY, made_up

import ptlearn as pt
from ptlearn.errors import StudyError
from ptlearn.studies.prepare import prepared_task
from ptlearn.studies.statistics import (
    easy_and_hard,
    mean_interval,
    paired_differences,
    recovered_gain,
    steps_to,
    summary,
)
from ptlearn.studies.study import results_table


def frame_of(**scores):
    """Final runs with the given hits: an arm's list has a string for each seed."""
    lines = [
        {
            "arm": arm,
            "seed": seed,
            "final": True,
            "error": "",
            "lr": 0.1,
            "at_edge": False,
            "score": bits.count("1") / len(bits),
            "test_hits": bits,
            "metric": "p_at_1",
            "task": "official_language",
            "test_task": "",
            "dev_curve": [[10, 0.1 * seed], [20, 0.2 * seed]],
        }
        for arm, hits in scores.items()
        for seed, bits in enumerate(hits)
    ]
    return pd.DataFrame(lines)


def test_mean_interval_is_students():
    mean, low, high = mean_interval([0.1, 0.2, 0.3, 0.4, 0.5])
    assert mean == pytest.approx(0.3)
    half = 2.776 * np.std([0.1, 0.2, 0.3, 0.4, 0.5], ddof=1) / np.sqrt(5)
    assert (low, high) == pytest.approx((0.3 - half, 0.3 + half), abs=1e-3)


def test_mean_interval_stands_little():
    assert mean_interval([0.2, 0.2, np.nan]) == (0.2, 0.2, 0.2)
    assert np.isnan(mean_interval([0.2])[1:]).all()
    assert np.isnan(mean_interval([])).all()


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_of_a_few_seeds_covers_what_it_says(seeds):
    """A percentile bootstrap of five seeds covers 83 %, and fails here."""
    rng = np.random.default_rng(0)
    ends = [mean_interval(rng.normal(0, 1, seeds))[1:] for _ in range(2000)]
    covered = np.mean([low <= 0 <= high for low, high in ends])
    assert 0.93 <= covered <= 0.97


def test_summary_has_a_line_for_each_arm_and_leaves_out_what_only_chose():
    rows = {run.job.key: made_up(run.job) for run in STUDY.runs({})}
    rows |= {run.job.key: made_up(run.job) for run in STUDY.runs(rows)}
    found = summary(results_table(STUDY, rows))
    assert list(found.index) == ["bare", "LSTM", "wording"]
    assert found.loc["bare", "seeds"] == 2 and found.loc["bare", "lr"] == 0.1
    assert found.loc["bare", "mean"] == pytest.approx((4 / 8 + 5 / 8) / 2)


def test_paired_differences_use_the_same_seeds_and_rows():
    frame = frame_of(a=["1100", "1000", "1110"], b=["1000", "0000", "1100"])
    line = paired_differences(frame, "b").loc["a"]
    # Seeds differ much, the pairs not at all: every seed gains one row.
    assert line["difference"] == line["low"] == line["high"] == pytest.approx(0.25)
    assert line["rows_low"] < 0.25 < line["rows_high"] and line["seeds"] == 3


def test_a_wording_is_compared_with_every_seed():
    frame = frame_of(a=["1100", "1110"], wording=["1000"])
    assert paired_differences(frame, "wording").loc["a", "seeds"] == 2
    back = paired_differences(frame, "a").loc["wording"]
    assert back["difference"] == pytest.approx(-0.375)


def test_unlike_rows_and_unknown_arms_are_refused():
    frame = frame_of(a=["1100"], b=["10"])
    with pytest.raises(StudyError, match="different test rows"):
        paired_differences(frame, "b")
    with pytest.raises(StudyError, match="no arm called 'c' has run; there are: a; b"):
        paired_differences(frame, "c")


def test_the_metric_of_the_study_says_which_hits_count():
    frame = frame_of(a=["1100"], b=["1000"]).assign(test_correct=["1111", "1000"])
    assert paired_differences(frame, "b").loc["a", "difference"] == 0.25
    frame = frame.assign(metric="accuracy")
    assert paired_differences(frame, "b").loc["a", "difference"] == 0.75
    with pytest.raises(StudyError, match="metrics accuracy, p_at_1: say which hits"):
        paired_differences(frame.assign(metric=["accuracy", "p_at_1"]), "b")


def test_easy_and_hard_rows_are_told_apart_by_what_a_guess_gets_right():
    task = prepared_task(BASE)
    easy = pt.easy_rows(task).to_numpy()
    assert 0 < easy.sum() < len(easy)
    bits = "".join("1" if e else "0" for e in easy)
    none = "0" * len(easy)
    frame = frame_of(guesses=[bits], knows=["1" * len(easy)], base=[none])
    found = easy_and_hard(frame).set_index("arm")
    assert found.loc["guesses", ["easy", "hard"]].tolist() == [1, 0]
    assert found.loc["knows", ["easy", "hard"]].tolist() == [1, 1]
    assert found.loc["knows", "n_easy"] == easy.sum()
    gain = recovered_gain(frame, "base")
    assert gain.loc["guesses", "share"] == 0 and gain.loc["knows", "share"] == 1
    assert gain.loc["knows", "hard_gain"] == 1


def test_steps_to_a_dev_score_count_runs_that_never_get_there():
    frame = frame_of(a=["1", "1", "1"])
    line = steps_to(frame, 0.2).loc["a"]
    assert line["fastest"] == 10 and line["slowest"] == np.inf
    assert line["median"] == 20 and line["reached"] == 2 and line["seeds"] == 3


@pytest.mark.parametrize(
    "asked",
    [
        summary,
        easy_and_hard,
        lambda frame: paired_differences(frame, "a"),
        lambda frame: recovered_gain(frame, "a"),
        lambda frame: steps_to(frame, 0.5),
    ],
)
def test_a_study_that_has_not_run_says_so(asked):
    with pytest.raises(StudyError, match="no runs of this study are stored: run it"):
        asked(results_table(STUDY, {}))
