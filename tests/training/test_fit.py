"""Training: what it changes, when it stops, what it keeps, and how it goes on."""

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

import ptlearn as pt
from ptlearn.errors import PromptError, TrainingError
from ptlearn.forward import scoring
from ptlearn.forward.kv_cache import ContextCache

ROWS = [
    {"subject": city, "answer": country}
    for city, country in zip(
        ["Osaka", "Lagos", "Rio", "Kobe", "Kano", "Recife"],
        ["Japan", "Nigeria", "Brazil"] * 2,
        strict=True,
    )
]
PAPER = "[V:2] {subject} [V:2] {answer}"
FLAT = 1e-12
"""A rate so low that no dev score or loss changes."""


@pytest.fixture(scope="module")
def lm():
    return pt.load_lm("tiny", device="cpu")


@pytest.fixture
def task():
    return pt.Task.from_rows(ROWS, dev=ROWS[:3])


def fit(tuner, task, **settings):
    defaults = {"steps": 12, "batch_size": 3, "evaluate_every": 4, "lr": 0.05}
    return pt.fit(tuner, task, progress=False, **(defaults | settings))


@pytest.fixture
def at_step(monkeypatch):
    """Arrange that something happens at a step, when the tuner is called for it."""

    def arrange(step, happens):
        original, calls = pt.PromptTuner.forward, []

        def forward(tuner, *args):
            calls.append(1)
            log_probs = original(tuner, *args)
            return happens(log_probs) if len(calls) == step else log_probs

        monkeypatch.setattr(pt.PromptTuner, "forward", forward)

    return arrange


def stop_button(_):
    raise KeyboardInterrupt


def same(first, second):
    """Whether two histories agree to the last bit, apart from the clock."""
    frames = [h.frame.drop(columns="seconds") for h in (first, second)]
    return frames[0].equals(frames[1]) and first.best_step == second.best_step


# ---- what training does


def test_learning_lowers_the_loss_and_leaves_the_model_alone(lm, task):
    before = [p.clone() for p in lm.model.parameters()]
    tuner = pt.PromptTuner(lm, PAPER)
    untrained = tuner.fold()
    frame = fit(tuner, task, steps=60).frame
    assert frame["loss"].tail(10).mean() < 0.9 * frame["loss"].head(3).mean()
    found, zero_shot = (p.answer_log_probs(ROWS) for p in (tuner, untrained))
    assert (found - zero_shot).abs().min() > 0
    after = lm.model.parameters()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    columns = ["step", "loss", "lr", "grad_norm", "dev_score", "dev_loss", "seconds"]
    assert list(frame.columns) == columns and len(frame) == 60
    assert frame["dev_score"].notna().sum() == frame["dev_loss"].notna().sum() == 15


@pytest.mark.slow
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


def test_the_dev_loss_is_that_of_the_dev_rows(lm, task):
    tuner = pt.PromptTuner(lm, PAPER)
    wanted = -tuner.answer_log_probs(ROWS[:3]).mean().item()
    history = fit(tuner, task, lr=FLAT, steps=1)
    assert history.records[0]["dev_loss"] == pytest.approx(wanted, rel=1e-5)


def test_dev_scores_are_exact(lm):
    """One of three right is 1/3, and not what float32 makes of it."""
    tuner = pt.PromptTuner(lm, PAPER)
    said = tuner.fold().predict(ROWS[:3], ["Japan", "Nigeria"])
    other = {"Japan": "Nigeria", "Nigeria": "Japan"}
    answers = [said[0], other[said[1]], other[said[2]]]
    rows = [r | {"answer": a} for r, a in zip(ROWS[:3], answers, strict=True)]
    task = pt.Task.from_rows(ROWS[:2], dev=rows)
    history = fit(tuner, task, lr=FLAT, steps=1, metric="accuracy")
    assert history.records[0]["dev_score"] == history.best_score == 1 / 3


def test_the_tuner_ends_with_the_best_dev_score(lm, task):
    tuner = pt.PromptTuner(lm, PAPER)
    history = fit(tuner, task, steps=60, metric="accuracy")
    assert history.best_score >= history.frame["dev_score"].max()
    report = pt.evaluate(tuner, task, split="dev", progress=False)
    assert report.accuracy == history.best_score


def test_without_a_dev_split_the_last_step_counts(lm):
    tuner = pt.PromptTuner(lm, PAPER)
    history = fit(tuner, pt.Task.from_rows(ROWS), steps=10)
    assert (history.best_step, history.best_score) == (10, None)
    assert history.frame[["dev_score", "dev_loss"]].isna().all(axis=None)


@pytest.mark.parametrize("train_rows", [1, 2])
def test_one_memory_bound_holds_for_training_and_dev_contexts(
    lm, monkeypatch, train_rows
):
    caches, get = set(), ContextCache.get

    def watched(cache, *args):
        caches.add(cache)
        return get(cache, *args)

    monkeypatch.setattr(ContextCache, "get", watched)
    rows = [
        {"subject": f"{word} " * 20, "answer": "Japan"}
        for word in ["one", "two", "red"]
    ]
    train, dev = rows[:train_rows], rows[train_rows:]
    task = pt.Task.from_rows(train, dev=dev)

    def run(kv_cache_bytes):
        caches.clear()
        tuner = pt.PromptTuner(lm, "{subject} [V:2] {answer}")
        return fit(tuner, task, kv_cache_bytes=kv_cache_bytes)

    wanted = run(10**9)
    whole = sum(cache.bytes for cache in caches)
    assert len(caches) == 2
    assert same(run(whole), wanted), "a bound that is just enough changes nothing"
    assert len(caches) == 2
    with pytest.warns(UserWarning, match="are read anew at each step"):
        history = run(whole - 1)
    assert len(caches) == 1 and 0 < sum(cache.bytes for cache in caches) < whole
    near = pytest.approx(wanted.frame["loss"].to_numpy(), rel=1e-4)
    assert history.frame["loss"].to_numpy() == near
    run(0)
    assert not caches


# ---- when it stops


def test_patience_counts_evaluations_without_a_better_score(lm, task):
    history = fit(pt.PromptTuner(lm, PAPER), task, lr=FLAT, steps=100, patience=2)
    assert history.stopped == "patience" and len(history.records) == 8


def test_the_stop_button_keeps_the_best_and_returns_the_history(lm, task, at_step):
    at_step(10, stop_button)
    tuner = pt.PromptTuner(lm, PAPER)
    history = fit(tuner, task)
    assert history.stopped == "interrupted" and len(history.records) == 9
    assert history.best_score is not None and not tuner.training


def test_plateau_ends_when_the_dev_loss_has_stopped_falling(lm, task):
    settings = {"schedule": "plateau", "evaluate_every": 5, "steps": 100}
    history = fit(pt.PromptTuner(lm, PAPER), task, lr=FLAT, **settings)
    # Warm-up to 10, flat since then: known at 25, and a fifth of 25 to decay in.
    assert history.stopped == "plateau" and len(history.records) == 30
    shares = history.frame["lr"] / FLAT
    assert shares.iloc[9:26].tolist() == pytest.approx([1.0] * 17)
    assert shares.iloc[26:].tolist() == pytest.approx([0.8, 0.6, 0.4, 0.2])
    assert history.frame["dev_loss"].notna().sum() == 6


def test_plateau_goes_on_to_its_last_step_while_the_dev_loss_falls(lm, task):
    settings = {"schedule": "plateau", "evaluate_every": 1, "steps": 12}
    history = fit(pt.PromptTuner(lm, PAPER), task, lr=0.5, warmup=0.0, **settings)
    assert history.stopped == "done" and len(history.records) == 12


def test_plateau_needs_a_dev_split(lm):
    with pytest.raises(TrainingError, match='"plateau" .*no dev split.*"linear"'):
        fit(pt.PromptTuner(lm, PAPER), pt.Task.from_rows(ROWS), schedule="plateau")


# ---- what goes wrong


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(
    lm, task, at_step
):
    at_step(7, lambda log_probs: log_probs * float("nan"))
    tuner = pt.PromptTuner(lm, PAPER)
    with pytest.raises(
        TrainingError, match="loss is nan.*at step 7.*lower lr"
    ) as caught:
        fit(tuner, task)
    assert len(caught.value.history.records) == 6
    assert caught.value.history.stopped == "nan"
    assert torch.isfinite(tuner.prompt_embeddings()).all()


@pytest.mark.parametrize("encoder", ["none", "lstm"])
@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("dev", [True, False])
def test_too_high_a_rate_is_a_training_error(lm, encoder, every, dev):
    """Also where a dev evaluation, or the end of the run, is the first to meet it."""
    task = pt.Task.from_rows(ROWS, dev=ROWS[:3] if dev else None)
    tuner = pt.PromptTuner(lm, PAPER, encoder=encoder)
    start = tuner.fold().prompt_embeddings()
    with pytest.raises(TrainingError, match="lower lr than 1e\\+39") as caught:
        fit(tuner, task, lr=1e39, evaluate_every=every, steps=max(1, every // 2))
    assert caught.value.history.stopped == "nan"
    assert caught.value.history.best_step == 0
    assert caught.value.history.frame["seconds"].notna().all()
    assert torch.equal(tuner.fold().prompt_embeddings(), start)


def test_dev_rows_that_cannot_be_scored_any_more_are_a_training_error(
    lm, task, monkeypatch
):
    """Parameters may be finite, and so large that no logit is."""
    score, calls = scoring.score_own, []

    def scored(*args, **options):
        calls.append(1)
        if len(calls) == 2:
            raise PromptError("the logits are not finite")
        return score(*args, **options)

    monkeypatch.setattr(scoring, "score_own", scored)
    with pytest.raises(TrainingError, match="after step 4: the logits") as caught:
        fit(pt.PromptTuner(lm, PAPER), task)
    assert len(caught.value.history.records) == 4


@pytest.mark.parametrize(
    ("batch_size", "advice"), [(3, "try batch_size=1"), (1, "use shorter texts")]
)
def test_out_of_memory_says_what_to_try(lm, task, at_step, batch_size, advice):
    def full(_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    at_step(2, full)
    with pytest.raises(TrainingError, match=f"={batch_size}; {advice}") as caught:
        fit(pt.PromptTuner(lm, PAPER), task, batch_size=batch_size)
    assert caught.value.history.stopped == "out of memory"
    assert len(caught.value.history.records) == 1


def test_settings_are_checked_before_anything_else(task):
    with pytest.raises(TrainingError, match="steps must be"):
        pt.fit(None, task, steps=0)


# ---- checkpoints


def trained(lm, task, template=PAPER, init=None, **settings):
    """A fresh tuner after a run: its history and its table."""
    tuner = pt.PromptTuner(lm, template, init=init)
    history = fit(tuner, task, **settings)
    return history, tuner.fold().prompt_embeddings()


@pytest.mark.parametrize("option", ["resume", "overwrite"])
def test_checkpoint_options_need_a_folder(lm, task, option):
    with pytest.raises(TrainingError, match=f"{option}=True needs a checkpoint_dir"):
        fit(pt.PromptTuner(lm, PAPER), task, **{option: True})


def test_going_on_and_starting_over_exclude_each_other(lm, task, tmp_path):
    with pytest.raises(TrainingError, match="give one of them"):
        trained(lm, task, checkpoint_dir=tmp_path, resume=True, overwrite=True)


def test_a_fresh_run_in_a_used_folder_is_refused(lm, task, tmp_path):
    trained(lm, task, checkpoint_dir=tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(TrainingError, match="up to step 12.*overwrite=True"):
        trained(lm, task, checkpoint_dir=tmp_path)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("step", [2, 6])
def test_a_run_that_starts_over_can_be_resumed(lm, task, tmp_path, at_step, step):
    """Its first checkpoints are of earlier steps than those that were there."""
    wanted = trained(lm, task, lr=0.1)
    trained(lm, task, checkpoint_dir=tmp_path)
    at_step(step, stop_button)
    stopped, _ = trained(lm, task, lr=0.1, checkpoint_dir=tmp_path, overwrite=True)
    assert len(stopped.records) == step - 1
    resumed = trained(lm, task, lr=0.1, checkpoint_dir=tmp_path, resume=True)
    assert same(resumed[0], wanted[0]) and torch.equal(resumed[1], wanted[1])


def test_resuming_in_an_empty_folder_starts(lm, task, tmp_path):
    history, _ = trained(lm, task, checkpoint_dir=tmp_path / "new", resume=True)
    assert len(history.records) == 12


@pytest.mark.slow
@pytest.mark.parametrize("start", ["contiguous", "transposed"], ids="init={}".format)
@pytest.mark.parametrize("schedule", ["linear", "plateau"])
def test_a_stopped_run_goes_on_to_the_same_bits(
    lm, task, tmp_path, at_step, start, schedule
):
    table = 0.1 * torch.arange(4.0 * lm.token_dim).sin()
    init = table.view(4, -1) if start == "contiguous" else table.view(-1, 4).T
    settings = {"init": init, "schedule": schedule, "metric": "accuracy"}
    wanted = trained(lm, task, **settings)
    at_step(7, stop_button)
    settings |= {"checkpoint_dir": tmp_path, "resume": True}
    stopped, _ = trained(lm, task, **settings)
    assert len(stopped.records) == 6
    resumed = trained(lm, task, **settings)
    assert same(resumed[0], wanted[0]) and torch.equal(resumed[1], wanted[1])


def test_a_plateau_run_that_ran_out_of_steps_can_be_extended(lm, task, tmp_path):
    settings = {"schedule": "plateau", "lr": FLAT, "checkpoint_dir": tmp_path}
    short, _ = trained(lm, task, steps=12, **settings)
    assert short.stopped == "done"
    long, _ = trained(lm, task, steps=60, resume=True, **settings)
    # Warm-up stays the first call's, one step; flat since step 4, known at 16.
    assert long.stopped == "plateau" and len(long.records) == 19
    assert long.frame["lr"].iloc[0] == FLAT
    again, _ = trained(lm, task, steps=90, resume=True, **settings)
    assert again.stopped == "plateau" and len(again.records) == 19


def test_an_extended_run_is_the_one_that_had_all_its_steps_at_once(lm, task, tmp_path):
    settings = {"schedule": "plateau", "warmup": 0.0, "evaluate_every": 2}
    wanted = trained(lm, task, steps=30, **settings)
    settings["checkpoint_dir"] = tmp_path
    for steps in (4, 10, 30):
        found = trained(lm, task, steps=steps, resume=True, **settings)
    assert same(found[0], wanted[0]) and torch.equal(found[1], wanted[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": 0.5}, "lr: 0.05 there, 0.5 here"),
        ({"steps": 13}, "steps: 12 there, 13 here"),
        ({"schedule": "plateau"}, "schedule: 'linear' there, 'plateau' here"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused_and_names_them(
    lm, task, tmp_path, settings, message
):
    trained(lm, task, checkpoint_dir=tmp_path)
    with pytest.raises(TrainingError, match=message):
        trained(lm, task, checkpoint_dir=tmp_path, resume=True, **settings)


@pytest.mark.parametrize("other", ["start", "rows", "dev rows", "template"])
def test_a_checkpoint_of_another_start_or_other_data_is_refused(
    lm, task, tmp_path, other
):
    trained(lm, task, checkpoint_dir=tmp_path)
    train = ROWS[::-1] if other == "rows" else ROWS
    dev = ROWS[3:] if other == "dev rows" else ROWS[:3]
    template = PAPER if other != "template" else "[V:2] {subject} in [V:2] {answer}"
    tuner = pt.PromptTuner(lm, template, seed=1 if other == "start" else 0)
    with pytest.raises(TrainingError, match=f"{other}: '"):
        fit(
            tuner,
            pt.Task.from_rows(train, dev=dev),
            checkpoint_dir=tmp_path,
            resume=True,
        )


# ---- devices


@pytest.fixture
def accelerate_on_another_device(monkeypatch):
    """Accelerate has settled on another device, as after a run on a GPU."""
    AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.setenv("ACCELERATE_TORCH_DEVICE", "meta")
    assert Accelerator().device.type == "meta"
    monkeypatch.delenv("ACCELERATE_TORCH_DEVICE")
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def test_a_run_on_the_cpu_after_one_on_another_device(
    lm, task, accelerate_on_another_device
):
    found = trained(lm, task)
    AcceleratorState._reset_state(reset_partial_state=True)
    wanted = trained(lm, task)
    assert same(found[0], wanted[0]) and torch.equal(found[1], wanted[1])


# Watching a run, and choosing by the dev loss


def test_the_callback_sees_every_step_and_changes_nothing(lm, task):
    seen = []

    def watch(tuner, record):
        seen.append((record["step"], tuner.prompt_embeddings().detach().clone()))

    watched, alone = (pt.PromptTuner(lm, PAPER) for _ in range(2))
    history = fit(watched, task, callback=watch)
    fit(alone, task)
    assert [step for step, _ in seen] == history.frame["step"].tolist()
    assert not torch.equal(seen[0][1], seen[-1][1])
    assert torch.equal(watched.prompt_embeddings(), alone.prompt_embeddings())


@pytest.mark.parametrize("stopped", ["callback", "interrupted"])
def test_without_dev_rows_a_run_that_is_ended_keeps_its_last_step(lm, at_step, stopped):
    task, tuner = pt.Task.from_rows(ROWS), pt.PromptTuner(lm, PAPER)
    seen = []

    def watch(tuner, record):
        seen.append(tuner.prompt_embeddings().detach().clone())
        return stopped == "callback" and record["step"] == 6

    if stopped == "interrupted":
        at_step(7, stop_button)
    history = fit(tuner, task, evaluate_every=4, callback=watch)
    assert history.stopped == stopped and history.best_step == 6
    assert torch.equal(tuner.prompt_embeddings(), seen[-1])


def test_the_callback_may_end_the_run(lm, task):
    tuner = pt.PromptTuner(lm, PAPER)
    history = fit(tuner, task, callback=lambda _, record: record["step"] == 5)
    assert history.stopped == "callback" and len(history.records) == 5


def test_the_lowest_dev_loss_chooses_where_it_is_asked_to(lm, task):
    tuner = pt.PromptTuner(lm, PAPER)
    history = fit(tuner, task, metric="loss", lr=0.5)
    scored = history.frame.dropna(subset="dev_loss")
    assert scored["dev_score"].tolist() == (-scored["dev_loss"]).tolist()
    assert history.best_score == max(-scored["dev_loss"].min(), history.best_score)
    report = pt.evaluate(tuner, task, split="dev", progress=False)
    assert report.loss == pytest.approx(-history.best_score, abs=1e-5)
