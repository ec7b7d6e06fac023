"""Recorded traces: what they start at, how they go and what they note."""

import json
from dataclasses import replace

import pytest
import torch
from small_traces import BARE

import ptlearn as pt
from ptlearn.errors import StudyError
from ptlearn.mechanisms import recording, traces
from ptlearn.mechanisms.recording import move_cosines, run_trace
from ptlearn.mechanisms.traces import Surface, Trace, start_table
from ptlearn.prompts.initializers import word_vectors
from ptlearn.studies.provenance import code_version, covered_modules

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def surface():
    return Surface(BARE)


def test_a_row_says_everything_in_json(surface):
    row = run_trace(BARE)
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert row["key"] == BARE.key and row["error"] == ""
    assert row["code"] == code_version(start="ptlearn.mechanisms.recording")
    assert row["code"] != code_version()
    names = ("losses", "moves", "grad_norms", "descents", "couplings")
    assert [len(row[name]) for name in names] == [6] * 5
    assert [step for step, _ in row["dev_losses"]] == [0, 3, 6]
    first, last = torch.tensor(row["tables"])
    assert row["dev_losses"][0][1] == pytest.approx(surface.dev_loss(first), rel=1e-6)
    assert row["dev_losses"][-1][1] == pytest.approx(surface.dev_loss(last), rel=1e-6)
    assert row["end_lengths"] == pytest.approx(last.norm(dim=1).tolist(), rel=1e-6)
    assert row["dev_losses"][-1][1] < row["dev_losses"][0][1]


def test_a_bare_trace_goes_the_way_of_fit():
    """The same loss, gradient, clipping and batches, where the rate does not differ."""
    row = run_trace(replace(BARE, steps=1, warmup_steps=1, order_seed=7))
    task = pt.load_task(BARE.task).head("dev", 4)
    tuner = pt.PromptTuner(pt.load_lm("tiny"), BARE.template, init="normal")
    tuner.encoder.embedding.data.copy_(torch.tensor(row["tables"][0]))
    history = pt.fit(
        tuner,
        task,
        steps=1,
        batch_size=4,
        lr=row["rates"][0],
        seed=7,
        warmup=0.0,
        evaluate_every=1,
        progress=False,
    )
    found = history.frame.iloc[0]
    assert row["losses"][0] == pytest.approx(found["loss"], rel=1e-5)
    assert row["grad_norms"][0] == pytest.approx(found["grad_norm"], rel=1e-4)


def test_the_probe_finds_the_rate_that_moves_the_table_as_asked():
    for changes in ({}, {"encoder": "lstm"}, {"encoder": "mlp", "optimizer": "sgd"}):
        trace = replace(BARE, steps=4, warmup_steps=1, move=0.004, **changes)
        moves = run_trace(trace)["moves"]
        assert sum(moves) / len(moves) == pytest.approx(0.004, rel=0.05)


def test_rate_of_gives_a_bare_table_the_rate_of_an_encoder():
    encoder = run_trace(replace(BARE, encoder="mlp", steps=1))
    bare = run_trace(replace(BARE, start="mlp", rate_of="mlp", steps=1))
    assert bare["rates"] == encoder["rates"]
    assert bare["tables"][0] == encoder["tables"][0]
    assert bare["moves"][0] < encoder["moves"][0] / 2


def test_own_length_and_own_direction_give_the_bare_trace():
    bare, graft = run_trace(BARE), run_trace(replace(BARE, length_of="none"))
    same = ("tables", "losses", "moves", "dev_losses", "rates")
    assert all(bare[name] == graft[name] for name in same)


@pytest.mark.parametrize("encoder", ["none", "mlp"])
@pytest.mark.parametrize("then", ["none", "residual-lstm", "linear"])
def test_a_switch_changes_no_loss(encoder, then):
    trace = replace(BARE, encoder=encoder)
    row = run_trace(replace(trace, switch_at=3, then=then))
    assert row["switch_gap"] == 0.0 and len(row["rates"]) == 2
    before = run_trace(trace)
    assert row["losses"][:4] == before["losses"][:4], "the loss at 4 is before a step"
    assert row["losses"][4:] != before["losses"][4:]


def test_the_cut_starts_and_is_cut():
    shared = run_trace(replace(BARE, encoder="mlp", steps=1, warmup_steps=1))
    cut = run_trace(replace(BARE, encoder="mlp", cut=True, steps=1, warmup_steps=1))
    assert cut["tables"][0] == shared["tables"][0]
    assert abs(cut["couplings"][0]) < shared["couplings"][0]


def test_cosines_of_moves(surface):
    (cosines,) = run_trace(replace(BARE, steps=1))["cosines"].values()
    cosines = torch.tensor(cosines)
    assert cosines.diagonal().tolist() == pytest.approx([1, 1])
    assert cosines.abs().max() <= 1
    found = move_cosines(torch.tensor([[1.0, 0], [-2.0, 0], [0, 3.0], [0, 0]]))
    assert found == [[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert recording.mean_coupling(found) == pytest.approx(-2 / 12)
    assert recording.mean_coupling([[1.0]]) == 0.0


def test_starts(surface):
    normal, paper, short, fresh = (
        start_table(replace(BARE, start=start), surface)
        for start in ("normal", "paper", "short", "lstm")
    )
    cosines = torch.cosine_similarity(normal, torch.stack([paper, short]), dim=2)
    assert torch.allclose(cosines, torch.ones(2, 2)), "one direction, three lengths"
    mean = fresh.norm(dim=1).mean().item()
    assert short.norm(dim=1).mean().item() == pytest.approx(mean)
    encoder = run_trace(replace(BARE, encoder="lstm", steps=1))
    assert encoder["tables"][0] == fresh.tolist()
    words = start_table(replace(BARE, start="words"), surface)
    slots = surface.tuner.tokens.word_slots
    assert words.equal(word_vectors(surface.lm, list(slots.values())))


def test_each_seed_draws_its_own():
    def start(**seeds):
        trace = replace(BARE, encoder="mlp", steps=1, **seeds)
        row = run_trace(trace)
        return row["tables"][0], row["losses"][0]

    table, loss = start()
    assert start(order_seed=1)[0] == table and start(order_seed=1)[1] != loss
    assert start(weights_seed=1)[0] != table != start(start_seed=1)[0]


def test_a_loss_that_is_not_finite_ends_the_trace_and_is_told():
    row = run_trace(replace(BARE, move=1e38))
    assert "the loss is" in row["error"] and len(row["losses"]) < BARE.steps
    json.dumps(row, allow_nan=False)


def test_keys_tell_traces_apart_and_survive_a_new_setting():
    traces = [BARE, replace(BARE, cut=True), replace(BARE, start_seed=1)]
    assert len({trace.key for trace in traces}) == 3
    # Hashed from what differs from the defaults, which therefore stay as they are.
    assert Trace().key == "a8bf0ef0e7b7b4b9"


@pytest.mark.parametrize(
    "setting",
    [
        {"encoder": "gru"},
        {"start": "answers"},
        {"optimizer": "lion"},
        {"length_of": "bare"},
        {"switch_at": 3, "then": "mlp"},
        {"then": "none"},
    ],
)
def test_what_is_not_there_is_refused(setting):
    with pytest.raises(StudyError, match="must be one of"):
        Trace(**setting)


def test_the_version_of_the_code_covers_what_a_trace_runs():
    covered = covered_modules(start="ptlearn.mechanisms.recording")
    assert "ptlearn.mechanisms.movers" in covered and "ptlearn.prompts.tuner" in covered
    assert "ptlearn.mechanisms.catalogue" not in covered


def test_threads_are_put_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run_trace(replace(BARE, steps=1), threads=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU on this machine")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"encoder": "lstm"},
        {"encoder": "lstm", "cut": True},
        {"encoder": "mlp", "optimizer": "sgd"},
        {"start": "lstm", "length_of": "lstm"},
        {"encoder": "mlp", "switch_at": 3, "then": "none"},
    ],
)
def test_on_a_gpu_a_trace_goes_the_way_it_goes_on_the_cpu(changes, monkeypatch):
    trace = replace(BARE, **changes)
    rows = {}
    for device in ("cpu", "cuda"):
        lm = pt.load_lm("tiny", device=device)
        monkeypatch.setattr(traces, "prepared_lm", lambda job, lm=lm: lm)
        rows[device] = run_trace(trace)
    assert rows["cuda"]["error"] == "" and rows["cuda"]["switch_gap"] in (None, 0.0)
    assert rows["cuda"]["rates"] == pytest.approx(rows["cpu"]["rates"], rel=0.02)
    assert rows["cuda"]["losses"] == pytest.approx(rows["cpu"]["losses"], rel=0.01)
    assert rows["cuda"]["moves"] == pytest.approx(rows["cpu"]["moves"], rel=0.1)
