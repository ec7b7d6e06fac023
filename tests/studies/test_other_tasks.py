"""The study of lesson 07: what its seeds draw, and what its control lacks."""

from dataclasses import replace

import pytest

import ptlearn as pt
from ptlearn.studies import load_study
from ptlearn.studies.prepare import prepared_task
from ptlearn.studies.store import read_folder, stored_folder
from ptlearn.studies.study import num_done


def runs_of(name):
    study = load_study(name).on_model("tiny")
    return {(run.arm.name, run.job.seed): run.job for run in study.runs({})}


def test_a_seed_draws_its_own_rows():
    job = runs_of("same_meaning")["tuned", 0]
    tasks = [prepared_task(replace(job, seed=seed)) for seed in (0, 1)]
    assert [len(task.train) for task in tasks] == [32, 32]
    assert tasks[0].train.to_list() != tasks[1].train.to_list()


def test_the_control_lacks_the_second_sentence_and_nothing_else():
    jobs = runs_of("same_meaning")
    whole, control = jobs["tuned", 0], jobs["one sentence", 0]
    assert replace(control, template=whole.template) == whole
    fields = [set(pt.Template(job.template).fields) for job in (whole, control)]
    assert fields[0] - fields[1] == {"sentence2"}


def test_the_untrained_wordings_are_rows_of_the_wording_study():
    keys = {run.job.key for run in load_study("wording").runs({})}
    own = [
        run.job.key
        for run in load_study("same_meaning").runs({})
        if run.arm.name.startswith("wording")
    ]
    assert len(own) == 4
    assert set(own) <= keys


@pytest.mark.slow
def test_what_lesson_07_reads_is_stored_whole():
    study = load_study("same_meaning")
    assert num_done(study, read_folder(stored_folder())) == study.size()
