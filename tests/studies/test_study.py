"""Studies: a fair rate for each arm, chosen by dev rows."""

from dataclasses import replace

import pytest
from small_study import BASE, STUDY, MadeUpRows, made_up, run

from ptlearn.errors import StudyError
from ptlearn.studies.study import Arm, Study, num_done, results, results_table


def rows_of(study) -> dict[str, dict]:
    """A made-up row for every run of a study."""
    rows = {run.job.key: made_up(run.job) for run in study.runs({})}
    return rows | {run.job.key: made_up(run.job) for run in study.runs(rows)}


def test_the_other_seeds_are_known_only_once_dev_has_chosen():
    arm = STUDY.arms[0]
    first = {job.key: made_up(job) for job in STUDY.first_jobs(arm)}
    assert STUDY.final_jobs(arm, {}) == []
    assert STUDY.final_jobs(arm, dict(list(first.items())[:1])) == []
    final = STUDY.final_jobs(arm, first)
    assert [(job.lr, job.seed) for job in final] == [(0.1, 0), (0.1, 1)]


def test_equal_dev_scores_take_the_lower_rate():
    study = replace(STUDY, lrs=(0.1, 0.01))
    rows = {job.key: {"dev_score": 0.5} for job in study.first_jobs(study.arms[0])}
    assert study.chosen(study.arms[0], rows).lr == 0.01


def test_a_rate_that_diverged_is_not_chosen():
    study = replace(STUDY, arms=STUDY.arms[:1], lrs=(0.01, 1.0))
    frame = results_table(study, rows_of(study))
    assert set(frame[frame["final"]]["lr"]) == {0.01}


def test_where_every_rate_diverged_the_arm_ends_there():
    study = replace(STUDY, arms=STUDY.arms[:1], lrs=(1.0,))
    frame = results_table(study, rows_of(study))
    assert len(frame) == 1 and not frame["final"].any()


def test_an_arm_without_virtual_tokens_runs_once_and_without_a_rate():
    wording = STUDY.arms[2]
    assert [job.lr for job in STUDY.first_jobs(wording)] == [None]
    assert STUDY.final_jobs(wording, rows_of(STUDY)) == STUDY.first_jobs(wording)


def test_the_size_of_a_study_is_known_before_it_runs():
    rows = rows_of(STUDY)
    assert STUDY.size() == len(rows) == num_done(STUDY, rows) == 6
    assert num_done(STUDY, {}) == 0


def test_a_rate_at_the_edge_of_the_grid_is_named():
    frame = results_table(STUDY, rows_of(STUDY))
    assert frame[frame["arm"] == "bare"]["at_edge"].all()
    assert not frame[frame["arm"] == "LSTM"]["at_edge"].any(), "it had no choice"


def test_another_model_is_another_study():
    other = STUDY.on_model("smollm2-135m")
    assert {run.job.model for run in other.runs({})} == {"smollm2-135m"}
    assert num_done(other, rows_of(STUDY)) == 0


def test_results_are_read_from_the_file_by_the_names_of_the_study(tmp_path):
    run(STUDY, tmp_path, MadeUpRows())
    renamed = replace(STUDY, name="other", arms=(Arm("another name", BASE),))
    frame = results(renamed, tmp_path)
    assert set(frame["arm"]) == {"another name"} and set(frame["study"]) == {"other"}


def test_a_row_that_is_older_than_a_setting_is_read_with_what_it_was_then():
    rows = rows_of(STUDY)
    for row in rows.values():
        del row["warmup"], row["patience"]
    frame = results_table(STUDY, rows)
    assert set(frame["warmup"]) == {0.1} and frame["patience"].isna().all()


def test_studies_that_cannot_be_run_are_refused():
    with pytest.raises(StudyError, match="two arms called 'a'"):
        Study("x", "?", (Arm("a", BASE), Arm("a", BASE)))
    for missing in ({"arms": ()}, {"lrs": ()}, {"seeds": ()}):
        with pytest.raises(StudyError, match="one each of arms, lrs and seeds"):
            replace(STUDY, **missing)
