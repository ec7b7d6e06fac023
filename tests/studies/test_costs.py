"""What a study would still cost."""

from dataclasses import replace

from small_study import STUDY, MadeUpRows, run

from ptlearn.studies.costs import estimate_cost


def test_a_finished_study_costs_nothing(tmp_path):
    run(STUDY, tmp_path, MadeUpRows())
    cost = estimate_cost(STUDY, folder=tmp_path)
    assert cost["runs"].sum() == 0 and cost["hours"].sum() == 0


def test_stored_rows_tell_how_long_the_others_take(tmp_path):
    run(STUDY, tmp_path, MadeUpRows())
    wider = replace(STUDY, seeds=(0, 1, 2, 3, 4))
    cost = estimate_cost(wider, folder=tmp_path, workers=2)
    line = cost.loc[("official_language", "training")]
    assert line["runs"] == 2 * 3
    assert line["seconds"] == 2.0 and line["from"] == "stored rows"
    assert line["hours"] == 6 * 2.0 / 3600 / 2


def test_without_rows_a_few_steps_are_timed(tmp_path):
    cost = estimate_cost(STUDY, folder=tmp_path)
    assert cost["runs"].tolist() == [5, 1]
    assert set(cost["from"]) == {"timed now"} and (cost["hours"] > 0).all()
    assert not list(tmp_path.iterdir())
