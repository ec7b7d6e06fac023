"""Running one job: the row it leaves."""

import json
from dataclasses import replace
from importlib.metadata import version

import pytest
import torch
from small_study import BASE, STUDY

import ptlearn as pt
from ptlearn.errors import TrainingError
from ptlearn.studies import run as run_module
from ptlearn.studies.job import Job
from ptlearn.studies.provenance import code_version
from ptlearn.studies.run import run_job
from ptlearn.studies.store import read_folder


@pytest.mark.slow
def test_a_row_holds_what_it_takes_to_repeat_it(true_folder):
    rows = read_folder(true_folder)
    assert len(rows) == STUDY.size() == 6
    for row in rows.values():
        assert Job.from_row(row).key == row["key"]
        assert row["code"] == code_version() and row["threads"] == 1
        assert row["versions"]["torch"] == version("torch")
        assert row["device"].startswith("cpu") and row["seconds"] > 0
        assert len(row["test_hits"]) == len(row["test_correct"]) == 8
        assert row["score"] == row["test_hits"].count("1") / 8
        trained = "[V" in row["template"]
        assert len(row["first_losses"]) == (10 if trained else 0)
        assert [step for step, _ in row["dev_curve"]] == ([6, 12] if trained else [])
        if trained:
            default = "paper" if row["encoder"] == "lstm" else "normal"
            assert row["init_used"] == default and row["num_virtual_tokens"] == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting", [{"warmup": 0.5}, {"weight_decay": 0.5}, {"max_grad_norm": 0.1}]
)
def test_every_training_setting_of_the_job_reaches_fit(setting):
    job = replace(BASE, steps=4, evaluate_every=4, lr=0.01)
    assert run_job(replace(job, **setting))["last_loss"] != run_job(job)["last_loss"]


def test_patience_ends_a_hopeless_run():
    job = replace(BASE, steps=4, evaluate_every=1, lr=1e-9, patience=1)
    assert [step for step, _ in run_job(job)["dev_curve"]] == [1]


@pytest.mark.parametrize("control", ["random weights", "random embeddings"])
def test_a_random_model_is_tuned_and_scored_too(control):
    row = run_job(replace(BASE, steps=2, lr=0.01, control=control))
    assert 0 <= row["score"] <= 1


def test_a_guess_needs_no_model():
    row = run_job(replace(BASE, control="majority", model="no such model"))
    task = pt.load_task(BASE.task).head("test", 8)
    train = list(task.train["answer"])
    commonest = max(sorted(set(train)), key=train.count)
    hits = [answer == commonest for answer in task.test["answer"]]
    assert row["test_hits"] == "".join("1" if hit else "0" for hit in hits)
    assert row["score"] == row["accuracy"] == sum(hits) / 8


def test_a_loss_that_is_not_finite_leaves_a_row_that_says_so():
    row = run_job(replace(BASE, steps=6, lr=1e38))
    assert row["score"] is row["dev_score"] is None and "nan" in row["error"]
    json.dumps(row, allow_nan=False)


def test_a_full_gpu_is_an_error_and_not_a_row(monkeypatch):
    def out_of_memory(*args, **kwargs):
        raise TrainingError("the GPU's memory is full", pt.History())

    monkeypatch.setattr(run_module, "fit", out_of_memory)
    with pytest.raises(TrainingError, match="memory is full"):
        run_job(replace(BASE, lr=0.01))


def test_threads_are_put_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run_job(replace(BASE, control="majority"), threads=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
