"""The benchmarks run, compare like with like, and their report says what they found."""

import json
import shutil

import bench
import keeping
import pandas as pd
import pytest
import torch
from peers import CASES, CONTEXT, Case, EachCandidate, Ours, Peft, make_rows
from report import MARK, write_report

import ptlearn as pt

SMALL = Case("context 4", CONTEXT, 4, batch_size=2)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:no bfloat16 instructions"),
]


@pytest.fixture(scope="module")
def lm():
    return pt.load_lm("tiny", device="cpu")


@pytest.fixture(scope="module")
def half():
    return pt.load_lm("tiny", device="cpu", dtype="bfloat16")


@pytest.fixture
def folder(tmp_path):
    """A README with words of its own and old tables."""
    (tmp_path / "README.md").write_text(f"Words.\n{MARK}\nold tables\n")
    return tmp_path


def stored():
    return json.loads((bench.HERE / "results.json").read_text())


def numbers(found: dict) -> dict:
    return {k: v for k, v in found.items() if isinstance(v, float)}


def test_a_step_is_timed_for_every_system(lm, half):
    systems = {"peft", "plain", "first", "later"}
    row = bench.step_row({"float32": lm}, SMALL, repeats=1)
    assert systems <= set(row) and not any("bfloat16" in name for name in row)
    systems |= {f"{name}, bfloat16" for name in systems - {"plain"}}
    row = bench.step_row({"float32": lm, "bfloat16": half}, SMALL, repeats=1)
    assert systems <= set(row) and all(0 < row[name] < 60 for name in systems)
    assert row["needed"] > 0


@pytest.mark.parametrize(
    ("known", "asked", "measured"),
    [(True, None, True), (False, None, False), (False, True, True)],
)
def test_bfloat16_is_measured_where_it_is_fast_or_asked_for(
    folder, monkeypatch, known, asked, measured
):
    parts, old = {}, stored()

    def measure(part, repeats, starts, dtypes):
        parts[part] = dtypes
        return old[part]

    monkeypatch.setattr(bench, "HERE", folder)
    monkeypatch.setattr(bench, "measure", measure)
    monkeypatch.setattr(bench, "has_bfloat16_instructions", lambda device: known)
    bench.main(bfloat16=asked)
    wanted = ["float32", "bfloat16"] if measured else ["float32"]
    assert all(dtypes == wanted for dtypes in parts.values())
    assert ("precision" in parts) == measured
    assert ("## Products in bfloat16" in (folder / "README.md").read_text()) == measured


def test_peft_under_autocast_computes_otherwise_and_about_the_same(lm):
    rows = make_rows(lm, 4, 2)
    torch.manual_seed(0)
    exact, cast = Peft(lm, SMALL), Peft(lm, SMALL, autocast=True)
    cast.encoder.load_state_dict(exact.encoder.state_dict())
    ours, theirs = exact.backward(rows).flatten(), cast.backward(rows).flatten()
    assert not torch.equal(ours, theirs)
    assert torch.cosine_similarity(ours, theirs, dim=0) > 0.99
    assert ours.norm() > 0


def test_both_start_from_the_same_gradient(lm):
    ours, peft = (
        Ours(lm, CASES["prefix 20, short"]),
        Peft(lm, CASES["prefix 20, short"]),
    )
    bench.copy_weights(ours, peft)
    rows = make_rows(lm, 6, 3)
    mine, theirs = ours.backward(rows), peft.backward(rows)
    assert (mine - theirs).norm() < 1e-3 * theirs.norm()


def test_slow_cases_are_measured_twice_and_others_as_often_as_asked(monkeypatch):
    assert list(bench.turns(5)) == [0, 1, 2, 3, 4, 5]
    monkeypatch.setattr(bench, "LONG", -1.0)
    assert list(bench.turns(5)) == [0, 1, 2]


def test_passes_answers_and_precision(lm, half):
    assert len(numbers(bench.score_row(lm, SMALL, repeats=1))) == 4
    found = bench.precision_row(lm, half, SMALL)
    assert 0 < found["loss apart"] <= found["apart"] < 0.1 and found["cosine"] > 0.99
    assert found["weights"][1] < found["weights"][0]
    found = bench.answering_row(lm, rows=3, sample=2)
    assert found["candidates"] == bench.CANDIDATES and found["rows"] == 3
    assert found["same"] == 2 and found["apart"] < 1e-4
    assert found["predict"] > 0 and found["each candidate"] > 0


def test_the_obvious_way_reads_every_candidate(lm):
    prompt = pt.PromptTuner(lm, "[V:2] {subject} is in {answer}").fold()
    answers, row = ["France", "Papua New Guinea", "Chad"], {"subject": "Paris"}
    best, score = EachCandidate(prompt).best(row, answers)
    every = prompt.answer_log_probs([row | {"answer": a} for a in answers])
    assert best == answers[every.argmax()]
    assert score == pytest.approx(every.max().item(), abs=1e-4)


@pytest.mark.parametrize("train", [True, False])
def test_the_cost_of_keeping_a_context(lm, train):
    row = keeping.keeping_row(lm, 4, repeats=1, train=train)
    assert row["plain"] > 0 and 3 <= row["tokens"] <= 5
    # How many visits it takes, and what that comes to, belong together.
    if row["costs, tokens"] is not None:
        visits = row["costs, tokens"] / row["tokens"] + 1
        assert visits == pytest.approx(row["pays after visits"])


def test_the_stored_tables_are_those_of_the_stored_measurements(tmp_path):
    shutil.copy(bench.HERE / "README.md", tmp_path)
    write_report(stored(), tmp_path)
    made = (tmp_path / "README.md").read_text()
    assert made == (bench.HERE / "README.md").read_text()


def test_the_report_has_a_table_for_each_part_and_keeps_the_words(folder, lm, half):
    results = stored() | {"peak": 2e11, "peak, bfloat16": 5e11}
    results["steps"] = [
        row | {"peft, bfloat16": 2.0, "first, bfloat16": 0.4, "later, bfloat16": 0.2}
        for row in results["steps"]
    ]
    moved = bench.precision_row(lm, half, SMALL)
    results["precision"] = [moved | {"case": name} for name in CASES]
    results["answering"] = {"float32": bench.answering_row(lm, rows=2, sample=1)}
    write_report(results, folder)
    text = (folder / "README.md").read_text()
    assert text.startswith(f"Words.\n{MARK}") and "old tables" not in text
    for words in (
        "PEFT, autocast / later",
        "is 2.50 times as fast in bfloat16",
        "## Answering 2 rows, 137 candidates",
        "1 of 1",
    ):
        assert words in text, words
    assert (folder / "speed.png").stat().st_size > 0


def test_parts_that_were_not_measured_are_left_out(folder):
    results = stored()
    for part in ("precision", "answering", "memory"):
        results.pop(part, None)
    write_report(results, folder)
    text = (folder / "README.md").read_text()
    assert "bfloat16 instr" not in text.partition("## ")[2]
    assert "## Answering" not in text and "## Peak memory" not in text


def test_all_parts_are_measured_stored_and_written(folder, lm, half, monkeypatch):
    case, tuned = CASES["mixed, lesson 05"], stored()["tuning"]
    monkeypatch.setattr(bench, "HERE", folder)
    monkeypatch.setattr(bench, "load", {"float32": lm, "bfloat16": half}.get)
    monkeypatch.setattr(bench, "CASES", {case.name: case})
    monkeypatch.setattr(bench, "TRAINING_CASES", [case])
    monkeypatch.setattr(bench, "peak_memory", lambda case, system: 2.0)
    # Tuning takes a minute: what is stored stands for it.
    monkeypatch.setattr(bench, "tuning_row", lambda lm, starts: tuned)
    monkeypatch.setattr(bench, "ANSWERED", 4)
    monkeypatch.setattr(bench, "ASKED_EACH", 1)
    bench.main(repeats=1, starts=1, bfloat16=True)
    results = json.loads((folder / "results.json").read_text())
    assert set(bench.PARTS) < set(results)
    text = (folder / "README.md").read_text()
    assert text.count("\n## ") == len(bench.PARTS)
    assert "nan" not in text and results["machine"] in text
    bench.main(repeats=1, starts=1, only="precision")
    assert (folder / "README.md").read_text() == text


def test_nothing_is_written_before_a_part_is_known():
    with pytest.raises(bench.typer.BadParameter, match="--only takes one of steps"):
        bench.main(only="speed")


def test_the_steps_of_the_plot_are_those_of_the_table():
    frame = pd.DataFrame(stored()["steps"])
    assert set(CASES) <= set(frame["case"])
