"""Training: what it changes, when it stops, and that a killed run loses nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import ptlearn as pt
from ptlearn.errors import TrainingError
from ptlearn.training import run as training_run
from ptlearn.training.config import TrainingConfig
from ptlearn.training.run import batch_order

PROGRAM = Path(__file__).parents[1] / "programs" / "fit_run.py"
ROWS = [
    {"subject": city, "answer": country}
    for city, country in zip(
        ["Osaka", "Lagos", "Rio", "Kobe", "Kano", "Recife"],
        ["Japan", "Nigeria", "Brazil"] * 2,
        strict=True,
    )
]
PAPER = "[V:2] {subject} [V:2] {answer}"


@pytest.fixture(scope="module")
def lm():
    return pt.load_lm("tiny", device="cpu")


@pytest.fixture
def task():
    return pt.Task.from_rows(ROWS, dev=ROWS[:3])


def fit(tuner, task, **settings):
    defaults = {"steps": 12, "batch_size": 3, "evaluate_every": 4, "lr": 0.05}
    return pt.fit(tuner, task, progress=False, **(defaults | settings))


def test_learning_lowers_the_loss_and_leaves_the_model_alone(lm, task):
    before = [p.clone() for p in lm.model.parameters()]
    tuner = pt.PromptTuner(lm, PAPER)
    untrained = tuner.fold()
    history = fit(tuner, task, steps=60)
    frame = history.frame
    assert frame["loss"].tail(10).mean() < 0.9 * frame["loss"].head(3).mean()
    found, zero_shot = (p.answer_log_probs(ROWS) for p in (tuner, untrained))
    assert (found - zero_shot).abs().min() > 0
    after = lm.model.parameters()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    columns = ["step", "loss", "lr", "grad_norm", "dev_score", "seconds"]
    assert list(frame.columns) == columns and len(frame) == 60
    assert frame["dev_score"].notna().sum() == 15


@pytest.mark.parametrize("encoder", ["none", "lstm"])
def test_one_seed_gives_one_table_bit_for_bit(lm, task, encoder):
    tables = []
    for seed in (1, 1, 2):
        tuner = pt.PromptTuner(lm, PAPER, encoder=encoder, seed=seed)
        fit(tuner, task, seed=seed)
        tables.append(tuner.fold().prompt_embeddings())
    assert torch.equal(tables[0], tables[1])
    assert not torch.equal(tables[0], tables[2])


def test_the_loss_is_minus_the_mean_log_probability_of_the_answers(lm, task):
    tuner = pt.PromptTuner(lm, PAPER)
    wanted = -tuner.answer_log_probs(ROWS).mean().item()
    history = fit(tuner, task, steps=1, batch_size=len(ROWS))
    assert history.records[0]["loss"] == pytest.approx(wanted, rel=1e-5)


def test_rate_rises_then_falls_to_zero(lm, task):
    rates = fit(pt.PromptTuner(lm, PAPER), task, steps=20, lr=1.0).frame["lr"]
    assert rates[:3].tolist() == pytest.approx([0.5, 1.0, 1.0])
    assert rates[2:].is_monotonic_decreasing and 0 < rates.iloc[-1] < 0.1


def test_ends_with_the_earliest_of_the_best_dev_scores(lm, task, monkeypatch):
    scores = iter([0.1, 0.5, 0.9, 0.9])
    tables = []

    def scored(tuner, *_, **__):
        tables.append(tuner.prompt_embeddings().detach().clone())
        return type("R", (), {"p_at_1": next(scores)})

    monkeypatch.setattr(training_run, "evaluate", scored)
    tuner = pt.PromptTuner(lm, PAPER)
    history = fit(tuner, task)
    assert (history.best_step, round(history.best_score, 6)) == (8, 0.9)
    assert torch.equal(tuner.prompt_embeddings(), tables[2])
    assert not torch.equal(tables[2], tables[3])


def test_patience_counts_evaluations_without_a_better_score(lm, task, monkeypatch):
    monkeypatch.setattr(
        training_run, "evaluate", lambda *_, **__: type("R", (), {"p_at_1": 0.5})
    )
    history = fit(pt.PromptTuner(lm, PAPER), task, steps=100, patience=2)
    assert history.stopped == "patience" and len(history.records) == 8


def test_without_a_dev_split_the_last_step_counts(lm):
    tuner = pt.PromptTuner(lm, PAPER)
    history = fit(tuner, pt.Task.from_rows(ROWS))
    assert (history.best_step, history.best_score) == (12, None)
    assert history.frame["dev_score"].isna().all()


def test_stop_button_keeps_the_best_and_returns_the_history(lm, task, monkeypatch):
    original = training_run.TrainingRun._train_on

    def stop_at_nine(run, batch):
        if run.step == 9:
            raise KeyboardInterrupt
        return original(run, batch)

    monkeypatch.setattr(training_run.TrainingRun, "_train_on", stop_at_nine)
    tuner = pt.PromptTuner(lm, PAPER)
    history = fit(tuner, task)
    assert history.stopped == "interrupted" and len(history.records) == 9
    assert history.best_score is not None and not tuner.training


def test_nan_stops_names_the_step_and_keeps_the_last_good_state(lm, task, monkeypatch):
    original = pt.PromptTuner.forward
    calls = []

    def nan_at_seven(tuner, *args):
        calls.append(1)
        return original(tuner, *args) * (float("nan") if len(calls) == 7 else 1.0)

    monkeypatch.setattr(pt.PromptTuner, "forward", nan_at_seven)
    tuner = pt.PromptTuner(lm, PAPER)
    with pytest.raises(
        TrainingError, match="loss is nan.*at step 7.*lower lr"
    ) as caught:
        fit(tuner, task)
    assert len(caught.value.history.records) == 6
    assert torch.isfinite(tuner.prompt_embeddings()).all()


def test_out_of_memory_names_the_batch_size_to_try(lm, task, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(pt.PromptTuner, "forward", full)
    with pytest.raises(TrainingError, match="batch_size=3; try batch_size=1"):
        fit(pt.PromptTuner(lm, PAPER), task)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"lr": 0.0}, "lr must be above 0"),
        ({"metric": "f1"}, "metric must be"),
        ({"warmup": 1.0}, "share of the steps"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**settings)


def test_unknown_setting_is_named(lm, task):
    with pytest.raises(TypeError, match="stepz"):
        pt.fit(pt.PromptTuner(lm, PAPER), task, stepz=3)


def test_batches_hold_every_row_once_an_epoch_and_like_lengths_together():
    lengths = [3, 30] * 16
    order = batch_order(lengths, batch_size=4, seed=1)
    for _ in range(3):
        epoch = [next(order) for _ in range(8)]
        assert sorted(sum(epoch, [])) == list(range(32))
        assert all(len({lengths[i] for i in batch}) == 1 for batch in epoch)
    again = batch_order(lengths, batch_size=4, seed=1)
    other = batch_order(lengths, batch_size=4, seed=2)
    first = next(batch_order(lengths, batch_size=4, seed=1))
    assert next(again) == first != next(other)


def run(out, checkpoints="none", context_bytes=2**30, **options):
    command = [sys.executable, PROGRAM, out, checkpoints, str(context_bytes)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)


def finish(process, out):
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return json.loads(out.read_text())


@pytest.mark.parametrize("context_bytes", [2**30, 3000], ids=["kept", "spilled over"])
def test_killed_at_random_moments_ends_with_the_uninterrupted_table(
    tmp_path, context_bytes
):
    whole = finish(run(tmp_path / "whole"), tmp_path / "whole")
    seed = int(os.environ.get("PTLEARN_KILL_SEED", random.randrange(10**6)))
    print(f"PTLEARN_KILL_SEED={seed}")
    draw = random.Random(seed)
    checkpoints, kills = tmp_path / "checkpoints", 0
    for _ in range(5):
        process = run(tmp_path / "out", checkpoints, context_bytes)
        seen = newest_step(checkpoints)
        wanted = seen + 4 * draw.randint(0, 2)  # a checkpoint every four steps
        while process.poll() is None and newest_step(checkpoints) <= min(wanted, 32):
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.03))
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    resumed = finish(run(tmp_path / "out", checkpoints), tmp_path / "out")
    assert kills >= 2, "it was not killed on the way"
    assert resumed == whole


def newest_step(folder):
    names = [p.name for p in folder.glob("step-*")] if folder.exists() else []
    return max([int(name.split("-")[1]) for name in names], default=0)


def test_a_damaged_checkpoint_is_passed_over_and_said(lm, task, tmp_path):
    def trained(resume):
        tuner = pt.PromptTuner(lm, PAPER)
        fit(tuner, task, checkpoint_dir=tmp_path, resume=resume)
        return tuner.fold().prompt_embeddings()

    wanted = trained(resume=False)
    newest = max(tmp_path.glob("step-*"))
    content = bytearray(newest.read_bytes())
    content[-5] ^= 1
    newest.write_bytes(content)
    with pytest.warns(UserWarning, match="is damaged.*falling back"):
        assert torch.equal(trained(resume=True), wanted)


def test_a_checkpoint_of_other_settings_is_refused_and_names_them(lm, task, tmp_path):
    fit(pt.PromptTuner(lm, PAPER), task, checkpoint_dir=tmp_path)
    with pytest.raises(TrainingError, match="lr: 0.05 there, 0.5 here"):
        fit(
            pt.PromptTuner(lm, PAPER),
            task,
            lr=0.5,
            checkpoint_dir=tmp_path,
            resume=True,
        )


@pytest.mark.parametrize("other", ["start", "rows"])
def test_a_checkpoint_of_another_start_or_other_rows_is_refused(
    lm, task, tmp_path, other
):
    fit(pt.PromptTuner(lm, PAPER), task, checkpoint_dir=tmp_path)
    tuner = pt.PromptTuner(lm, PAPER, seed=1 if other == "start" else 0)
    if other == "rows":
        task = pt.Task.from_rows(ROWS[::-1], dev=ROWS[:3])
    with pytest.raises(TrainingError, match=f"{other}: '"):
        fit(tuner, task, checkpoint_dir=tmp_path, resume=True)


def test_two_processes_give_the_loss_curve_of_one(tmp_path):
    one = finish(run(tmp_path / "one"), tmp_path / "one")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu"]
    command += ["--num_processes", "2", "--num_machines", "1", "--mixed_precision"]
    command += ["no", "--dynamo_backend", "no", "--main_process_port", "0", PROGRAM]
    command += [tmp_path / "two", "none", str(2**30)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    two = json.loads((tmp_path / "two").read_text())
    assert two["losses"] == pytest.approx(one["losses"], abs=1e-4)


def test_contexts_are_kept_only_where_that_saves_time(lm):
    """Short subjects met once are read with the rest; long reviews are kept."""
    tokens = pt.PromptTuner(lm, "{subject} [V:2] {answer}").plan.tokens
    short = [tokens.encode(row) for row in ROWS]
    long = [tokens.encode(row | {"subject": "a long review " * 20}) for row in ROWS]
    assert not training_run.pays_to_keep(short, visits=1)
    assert not training_run.pays_to_keep(short, visits=3)
    assert not training_run.pays_to_keep(long, visits=1)
    assert training_run.pays_to_keep(long, visits=3)
    assert training_run.pays_to_keep(short, visits=100)
