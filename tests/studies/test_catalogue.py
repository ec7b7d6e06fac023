"""The course's studies hold together, with each other and with the stored rows."""

from functools import cache

import pytest

import ptlearn as pt
from ptlearn.errors import StudyError
from ptlearn.studies.catalogue import (
    BEST_WORDING,
    FIRST_TIER,
    course_studies,
    load_study,
)
from ptlearn.studies.store import read_folder, stored_folder
from ptlearn.studies.study import num_done, results

load_task = cache(pt.load_task)


def test_the_first_tier_is_a_part_of_what_lessons_read():
    studies = course_studies()
    assert set(FIRST_TIER) <= set(studies)
    keys = {
        name: {run.job.key for run in study.runs({})} for name, study in studies.items()
    }
    for part in ("start", "encoder"):
        assert keys[part] <= keys["city_country"]


@pytest.mark.slow
def test_every_template_asks_for_columns_that_its_task_has():
    for study in course_studies().values():
        for arm in study.arms:
            fields = set(pt.Template(arm.job.template).fields)
            assert fields <= set(load_task(arm.job.task).inputs), arm.name


def test_every_trained_arm_of_the_first_tier_has_about_six_virtual_tokens():
    lm = pt.load_lm("tiny")
    for name in ("city_country", "movie_sentiment"):
        for arm in load_study(name).arms:
            job = arm.job
            if job.is_trained:
                tuner = pt.PromptTuner(
                    lm,
                    job.template,
                    encoder=job.encoder,
                    init=job.init or None,
                    task=load_task(job.task),
                )
                assert tuner.num_virtual_tokens in (4, 5, 6), arm.name


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FIRST_TIER, "start", "encoder", "shared_rate"])
def test_what_lessons_read_is_stored_whole(name):
    study = load_study(name)
    assert num_done(study, read_folder(stored_folder())) == study.size()


@pytest.mark.slow
def test_best_wordings_are_the_ones_that_dev_chose():
    frame = results(load_study("wording"))
    for task, wording in BEST_WORDING.items():
        own = frame[frame["task"] == task]
        assert own.loc[own["dev_score"].idxmax(), "template"] == wording


@pytest.mark.slow
def test_what_a_lesson_claims_of_one_live_run_holds_in_every_stored_seed():
    """Another processor trains along another path, so a claim needs a margin."""
    frame = results(load_study("city_country"))
    scores = frame[frame["final"]].groupby("arm")["score"]
    wording = scores.min()["best wording, untrained"]
    # Lesson 02: trained virtual tokens beat the wording. Lesson 03: so does training
    # that starts at its words.
    for arm in ("normal start", "best wording's words"):
        assert scores.count()[arm] == 5
        assert scores.min()[arm] > wording + 0.1


def test_an_unknown_study_is_refused_with_the_names_there_are():
    with pytest.raises(StudyError, match="no study is called 'smal'.*: wording, contr"):
        load_study("smal")


def test_a_function_of_the_room_never_hides_behind_a_module_of_its_name():
    from ptlearn import studies
    from ptlearn.studies import costs, run, verification  # noqa: F401

    for name in studies.__all__:
        assert getattr(studies, name).__name__ == name
