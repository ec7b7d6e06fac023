"""The studies of lesson 07: what their seeds draw, and what their controls lack."""

from dataclasses import replace

import pytest

import ptlearn as pt
from ptlearn.studies import load_study
from ptlearn.studies.prepare import prepared_task
from ptlearn.studies.run import make_tuner
from ptlearn.studies.store import read_folder, stored_folder
from ptlearn.studies.study import num_done


def runs_of(name):
    study = load_study(name).on_model("tiny")
    return {(run.arm.name, run.job.seed): run.job for run in study.runs({})}


def test_arms_differ_in_the_start_and_share_the_rows_of_a_draw():
    jobs = runs_of("few_draws")
    first, second = jobs["start 0", 0], jobs["start 1", 0]
    rows = [prepared_task(job).train["text"][:] for job in (first, second)]
    assert rows[0] == rows[1]
    tables = [make_tuner(job, None).prompt_embeddings() for job in (first, second)]
    assert not tables[0].equal(tables[1])


def test_another_draw_has_other_rows_and_the_same_start():
    job = runs_of("few_draws")["start 1", 0]
    again = replace(job, seed=3)
    tasks = prepared_task(job), prepared_task(again)
    assert len(tasks[0].train) == len(tasks[0].dev) == 32
    assert tasks[0].train["text"][:] != tasks[1].train["text"][:]
    first, second = (
        make_tuner(j, t).prompt_embeddings()
        for j, t in zip((job, again), tasks, strict=True)
    )
    assert first.equal(second)


def test_the_controls_of_word_in_context_lack_one_thing_each():
    fields = {
        name: set(pt.Template(job.template).fields)
        for (name, _), job in runs_of("same_meaning").items()
    }
    whole = {"word", "sentence1", "sentence2"}
    assert fields["tuned"] == whole
    assert fields["without the word"] == whole - {"word"}
    assert fields["without the second sentence"] == whole - {"sentence2"}


def test_the_untrained_wordings_are_rows_of_the_wording_study():
    keys = {run.job.key for run in load_study("wording").runs({})}
    own = [
        run.job.key
        for run in load_study("same_meaning").runs({})
        if run.arm.name.startswith("wording")
    ]
    assert len(own) == 4
    assert set(own) <= keys


@pytest.mark.parametrize("name", ["few_draws", "same_meaning"])
def test_what_lesson_07_reads_is_stored_whole(name):
    study = load_study(name)
    assert num_done(study, read_folder(stored_folder())) == study.size()
