"""What jobs work on: few rows, shuffled labels, random models."""

from dataclasses import replace

import pytest
import torch
from small_study import BASE

import ptlearn as pt
from ptlearn.studies.job import Job
from ptlearn.studies.prepare import prepared_lm, prepared_task


def test_shuffled_labels_keep_the_answers_and_the_other_splits():
    true = prepared_task(replace(BASE, seed=3))
    shuffled = prepared_task(replace(BASE, seed=3, control="shuffled labels"))
    assert list(true.train["subject"]) == list(shuffled.train["subject"])
    assert list(true.train["answer"]) != list(shuffled.train["answer"])
    assert sorted(true.train["answer"]) == sorted(shuffled.train["answer"])
    assert true.test.to_list() == shuffled.test.to_list()
    assert true.dev.to_list() == shuffled.dev.to_list()


@pytest.mark.slow
def test_few_examples_come_from_the_seed():
    few = [
        prepared_task(Job("movie_sentiment", "{answer}", per_answer=3, seed=seed))
        for seed in (0, 0, 1)
    ]
    assert [len(task.train) for task in few] == [6, 6, 6]
    assert few[0].train.to_list() == few[1].train.to_list() != few[2].train.to_list()


def test_another_tasks_test_rows():
    job = Job("movie_sentiment", "{answer}", test_task="product_sentiment", test_rows=5)
    expected = pt.load_task("product_sentiment").test.to_list()[:5]
    assert prepared_task(job).test.to_list() == expected


@pytest.mark.parametrize("control", ["random weights", "random embeddings"])
def test_a_random_model_is_drawn_by_the_seed_and_leaves_the_true_one(control):
    true = prepared_lm(BASE)
    before = {name: p.clone() for name, p in true.model.named_parameters()}
    # Not seed 0, from which the tiny model itself was drawn.
    jobs = [replace(BASE, control=control, seed=seed) for seed in (1, 1, 2)]
    drawn = [prepared_lm(job) for job in jobs]
    prints = [lm.fingerprint for lm in drawn]
    assert prints[0] == prints[1] != prints[2] and true.fingerprint not in prints
    after = dict(true.model.named_parameters())
    assert all(torch.equal(before[name], after[name]) for name in before)
    inner = "model.layers.0.mlp.up_proj.weight"
    kept = torch.equal(drawn[2].model.get_parameter(inner), before[inner])
    assert kept == (control == "random embeddings")
