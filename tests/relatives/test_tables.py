"""The tables say what the rows say, and say what is missing."""

from dataclasses import replace

import numpy as np
import pytest
from small_relatives import STUDY, MadeUpTrials

from ptlearn.relatives.run import run_relatives
from ptlearn.relatives.tables import (
    customers_table,
    decision_guide,
    missing_runs,
    plan_table,
    relatives_summary,
    relatives_verdicts,
    score_interval,
    timing_summary,
)

CITY, REVIEWS = ("city_country", 8), "movie_sentiment"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return run_relatives(STUDY, folder, MadeUpTrials(), tell=lambda text: None)


@pytest.fixture(scope="module")
def gappy(whole):
    """One of three LoRA runs is there, and none of prefix tuning."""
    lora = (whole["arm"] == "LoRA") & (whole["seed"] > 1000)
    return whole[~lora & (whole["arm"] != "prefix tuning")]


@pytest.mark.slow
def test_the_summary_counts_runs_and_averages_hits(whole):
    line = relatives_summary(whole, STUDY).loc[(*CITY, "LoRA")]
    runs = whole[(whole["arm"] == "LoRA") & (whole["task"] == CITY[0]) & whole["final"]]
    assert (line["runs"], line["planned"], line["broke"]) == (3, 3, 0)
    assert line["score"] == pytest.approx(runs["score"].astype(float).mean())
    assert line["low"] < line["score"] < line["high"]
    assert line["bytes"] == 1_850_000


def test_forgetting_is_the_other_score_before_less_after(whole):
    table = relatives_summary(whole, STUDY).loc[CITY]
    wording = whole[
        (whole["arm"] == "best wording")
        & (whole["task"] == "movie_sentiment")
        & whole["final"].astype(bool)
    ]
    before = wording["test_correct"].iloc[0][:6].count("1") / 6
    assert table.loc["LoRA", "before"] == pytest.approx(before)
    assert table.loc["LoRA", "forgets"] == pytest.approx(before - 0.5)
    assert table.loc["prompt tuning", "forgets"] == 0


def test_a_prefix_changes_no_model_and_still_has_a_score_where_it_is_left(whole):
    line = relatives_summary(whole, STUDY).loc[(*CITY, "prefix tuning")]
    assert line["forgets"] == 0
    assert line["other"] == pytest.approx(0.5) and line["before"] != line["other"]


def test_verdicts_follow_the_rule_where_all_runs_are_there(whole):
    found = relatives_verdicts(whole, *CITY, STUDY)
    assert found.loc["LoRA", "verdict"] == "better"
    assert found.loc["full fine-tuning", "verdict"] == "better"
    assert found.loc["LoRA", "low"] > 0.2
    assert "prompt tuning" not in found.index


def test_a_comparison_with_runs_missing_has_no_verdict(gappy):
    found = relatives_verdicts(gappy, *CITY, STUDY)
    assert found.loc["LoRA", "verdict"] == "not complete"
    assert found.loc["LoRA", "runs"] == "1 of 3"
    assert found.loc["prefix tuning", "runs"] == "0 of 3"
    assert np.isnan(found.loc["LoRA", "difference"])
    assert found.loc["full fine-tuning", "verdict"] == "better"


def test_without_all_of_prompt_tuning_nothing_is_judged(whole):
    some = whole[(whole["arm"] != "prompt tuning") | (whole["seed"] == 1000)]
    assert set(relatives_verdicts(some, *CITY, STUDY)["verdict"]) == {"not complete"}


@pytest.mark.slow
def test_a_probe_has_no_part_in_verdicts_on_strict_p_at_1(whole):
    assert "linear probe" not in relatives_verdicts(whole, *CITY, STUDY).index
    assert "linear probe" in relatives_verdicts(whole, REVIEWS, 8, STUDY).index
    # However good it is, the guide does not advise it there.
    good = whole.copy()
    probe = (good["arm"] == "linear probe") & good["final"].astype(bool)
    good.loc[probe, "test_hits"] = good.loc[probe, "test_correct"] = "1" * 200
    guide = decision_guide(good, STUDY)
    assert "linear probe" not in guide[CITY]
    assert "linear probe" in guide[REVIEWS, 8]


@pytest.mark.slow
def test_the_guide_advises_only_on_complete_comparisons(whole, gappy):
    advice = decision_guide(whole, STUDY)[CITY]
    assert "LoRA keeps the least" in advice and "full fine-tuning" in advice
    assert "cannot decide yet" in decision_guide(gappy, STUDY)[CITY]
    # Without the probe's three, which do not count on this task.
    assert "17 of 22 runs" in decision_guide(gappy, STUDY)[CITY]


@pytest.mark.slow
def test_the_guide_takes_no_training_where_that_is_as_good(whole):
    # Every method has the hits of prompt tuning.
    same = whole.copy()
    for task in STUDY.tasks:
        of_task = (same["task"] == task) & same["final"].astype(bool)
        hits = same[of_task & (same["arm"] == "prompt tuning")].set_index("seed")
        for name in ("test_hits", "test_correct"):
            chosen = same.loc[of_task, "seed"].map(hits[name])
            same.loc[of_task, name] = chosen
    advice = decision_guide(same, STUDY)[CITY]
    assert advice == "no training is needed: best wording is equivalent"


def test_customers_share_one_model_unless_it_is_tuned(whole):
    table = customers_table(relatives_summary(whole, STUDY).loc[CITY], (1, 1000))
    assert table.loc["LoRA", 1000] == 540_000_000 + 1000 * 1_850_000
    assert table.loc["full fine-tuning", 1000] == 1000 * 540_000_000
    assert table.loc["prompt tuning", 1] == 540_010_000


def test_nothing_at_all_is_told_and_not_an_error(whole):
    nothing = whole.iloc[:0]
    summary = relatives_summary(nothing, STUDY)
    assert summary["runs"].sum() == 0 and len(summary) == 18
    assert customers_table(summary.loc[CITY]).empty
    assert missing_runs(nothing, STUDY).startswith("city_country, 8 rows: 0 of 25")
    assert "0 of 22 runs are there" in decision_guide(nothing, STUDY)[CITY]
    assert timing_summary(nothing.iloc[:, :0]).empty


def test_runs_that_broke_off_are_counted_and_not_awaited(whole):
    broken = whole.copy()
    hot = (broken["arm"] == "LoRA") & (broken["seed"] == 1002) & broken["final"]
    broken.loc[hot, ["error", "test_hits", "test_correct"]] = ["nan", "", ""]
    line = relatives_summary(broken, STUDY).loc[(*CITY, "LoRA")]
    assert (line["runs"], line["broke"]) == (2, 1)
    assert relatives_verdicts(broken, *CITY, STUDY).loc["LoRA", "runs"] == "3 of 3"


def test_an_interval_of_one_run_is_over_rows():
    mean, low, high = score_interval(["1100"])
    assert mean == 0.5 and low < 0.2 and high > 0.8
    wide = score_interval(["1111", "0000", "1111"])
    assert wide[1] == 0.0 and wide[2] == 1.0


def test_the_plan_is_told_in_process_minutes(tmp_path):
    small = replace(STUDY, methods=("best wording", "prompt tuning"))
    text = plan_table(small, tmp_path)
    assert "Left: 8 rows: 20 runs, " in text and "process-minutes" in text
