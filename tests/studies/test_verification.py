"""Verifying rows: true ones pass, and each planted fault is found and named."""

import json
import math
import re
from dataclasses import asdict, replace

import pytest
import torch
from small_study import BASE

import ptlearn as pt
from ptlearn.errors import StudyError
from ptlearn.files import REPOSITORY
from ptlearn.forward.scoring import as_rows
from ptlearn.studies import checks, run
from ptlearn.studies.prepare import prepared_task
from ptlearn.studies.run import run_job
from ptlearn.studies.store import load_table, save_table
from ptlearn.studies.verification import verify
from ptlearn.training.batches import batch_order

pytestmark = pytest.mark.slow

BARE = replace(BASE, lr=0.1)
LSTM = replace(BASE, encoder="lstm", lr=0.01)
WORDING = replace(BASE, template="{subject}: {answer}", lr=None)


def stored(folder, made, told=None, change=None):
    """Run the job ``made`` and store its row as that of the job ``told``."""
    told, row = told or made, run_job(made)
    row |= {**asdict(told), "key": told.key}
    if "table" in row:
        save_table(folder, told.key, row.pop("table"))
    if change is not None:
        change(row)
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    return row


def checked(folder, **options):
    (check,) = verify(1, folder=folder, **options)
    return check


@pytest.mark.parametrize("job", [BARE, LSTM, WORDING], ids=["bare", "LSTM", "wording"])
def test_a_true_row_passes(tmp_path, job):
    stored(tmp_path, job)
    for full in (False, True):
        check = checked(tmp_path, full=full)
        assert (check.faults, check.notes, check.same_code) == ((), (), True)
        assert str(check).startswith("[OK]   official_language, ")


# --- another run than the row says ------------------------------------------


@pytest.mark.parametrize(
    ("told", "other", "fault"),
    [
        (BARE, {"lr": BARE.lr * 10**0.5}, "with 3.16 times the learning rate"),
        (LSTM, {"lr": LSTM.lr / 10**0.5}, "with 0.32. times the learning rate"),
        (BARE, {"lr": BARE.lr * 1.05}, "with 1.05 times the learning rate"),
        (BARE, {"warmup": 0.5}, "with 0.167 times the learning rate"),
        (BARE, {"start_seed": 7}, r"virtual token 0 had the length .* at the start"),
        (LSTM, {"weights_seed": 7}, r"virtual token 0 had the length .* at the start"),
        (BARE, {"order_seed": 7}, "the loss of step 1 was"),
        (BARE, {"encoder": "mlp"}, "num_trainable was 2176 and is 64"),
        (LSTM, {"encoder": "residual-lstm"}, "init_used was 'normal' and is 'paper'"),
        (BARE, {"init": "vocabulary"}, "init_used was 'vocabulary' and is 'normal'"),
        (BARE, {"control": "shuffled labels"}, "the loss of step 1 was"),
        (BARE, {"template": "[V:1] {subject}: [V:1] {answer}"}, "the loss of step 1"),
        (BARE, {"template": "[V:2] {subject} [V] {answer}"}, "num_virtual_tok.* was 3"),
        (BARE, {"batch_size": 8}, "the loss of step 1 was"),
    ],
)
def test_a_row_of_another_run_is_found(tmp_path, told, other, fault):
    stored(tmp_path, replace(told, **other), told)
    check = checked(tmp_path)
    assert str(check).startswith("[FAIL]")
    assert re.search(fault, check.faults[0]), str(check)


def test_one_wrong_label_in_the_first_steps_is_found(tmp_path, monkeypatch):
    def mislabelled(job, *own):
        task = prepared_task(job, *own)
        rows, tuner = (
            as_rows(task.train),
            pt.PromptTuner(pt.load_lm("tiny"), job.template),
        )
        lengths = [len(tuner.tokens.encode(row).ids) for row in rows]
        first = next(iter(batch_order(lengths, job.batch_size, job.seed)))[0]
        wrong = next(a for a in task.answers if a != rows[first]["answer"])
        rows[first] = rows[first] | {"answer": wrong}
        return task.with_rows(train=rows)

    with monkeypatch.context() as patched:
        patched.setattr(run, "prepared_task", mislabelled)
        stored(tmp_path, BARE)
    assert checked(tmp_path).faults[0].startswith("the loss of step 1 was")


def test_settings_that_do_not_give_the_key_are_found(tmp_path):
    stored(tmp_path, BARE, change=lambda row: row.update(lr=0.2))
    (fault,) = checked(tmp_path).faults
    assert "the row was altered" in fault


# --- other numbers than the run gave ----------------------------------------


def raise_the_score(row):
    row["score"] += 1 / 8


def flip_a_hit(row):
    hits = row["test_hits"]
    row["test_hits"] = ("0" if hits[0] == "1" else "1") + hits[1:]
    row["score"] = row["p_at_1"] = row["test_hits"].count("1") / len(hits)


def change_a_prediction(row):
    right = row["test_correct"][2] == "1"
    row["test_predictions"][2] = "Dutch"
    assert not right


def invent_an_answer(row):
    row["test_predictions"][2] = " Qx"


def call_it_correct(row):
    row["test_correct"] = "1" * len(row["test_correct"])
    row["accuracy"] = 1.0


def lower_a_log_probability(row):
    row["test_log_probs"][5] -= 0.003


def forget_a_row(row):
    row["test_log_probs"].pop()


@pytest.mark.parametrize("job", [BARE, WORDING], ids=["bare", "wording"])
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (raise_the_score, "score says 0.125 and test_hits gives 0"),
        (flip_a_hit, "test row 0 was a hit and is no hit"),
        (change_a_prediction, "the prediction of test row 2 was 'Dutch' and is '"),
        (call_it_correct, "test_correct says True of row 0, whose answer is '"),
        (lower_a_log_probability, "1 of 8 test rows have another log-probability: "),
        (forget_a_row, "test_hits has 8 test rows, and test_log_probs 7"),
        (invent_an_answer, "the prediction of test row 2 was ' Qx' and is '"),
    ],
)
def test_an_altered_score_is_found(tmp_path, job, change, fault):
    stored(tmp_path, job, change=change)
    check = checked(tmp_path)
    assert fault in check.faults[0] and str(check).startswith("[FAIL]")


def test_an_altered_table_is_found(tmp_path):
    row = stored(tmp_path, BARE)
    table = load_table(tmp_path, row["key"])
    save_table(tmp_path, row["key"], table * 1.001)
    assert "virtual token 0 had the length" in checked(tmp_path).faults[0]
    save_table(tmp_path, row["key"], -table)
    assert "test rows have another log-probability" in checked(tmp_path).faults[0]
    save_table(tmp_path, row["key"], table[:1])
    assert "needs a table of shape (2, 32)" in checked(tmp_path).faults[0]


def test_a_damaged_table_is_a_fault_and_a_missing_one_is_said(tmp_path):
    row = stored(tmp_path, BARE)
    path = tmp_path / "tables" / f"{row['key']}.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    assert "no prompt embeddings of row" in checked(tmp_path).faults[0]
    path.unlink()
    check = checked(tmp_path)
    assert not check.faults and "not stored: no score checked" in str(check)


def test_a_tie_may_fall_otherwise(tmp_path, monkeypatch):
    stored(tmp_path, BARE, change=flip_a_hit)
    monkeypatch.setattr(checks, "TIE", 100)
    assert checked(tmp_path).faults == ()


def test_the_margin_of_a_hit_is_that_of_its_worst_token():
    prompt = pt.Prompt(pt.load_lm("tiny"), "{subject}: {answer}")
    rows = [{"subject": s, "answer": "New Guinea"} for s in ("Osaka", "Rio")]
    for row in rows:
        logits = prompt.answer_logits([row])
        targets = prompt.tokens.encode(row).targets
        margins = []
        for line, target in zip(logits, targets, strict=True):
            others = torch.cat([line[:target], line[target + 1 :]])
            margins.append(float(line[target] - others.max()))
        assert checks.hit_margin(prompt, row) == pytest.approx(min(margins))


def test_a_number_that_was_not_finite_is_compared_as_such():
    row = {"losses": [5.0, 5.0], "grad_norms": [1.0, 1.0], "moves": [0.1, None]}
    found = {"losses": [5.0, 5.0], "grad_norms": [1.0, 1.0], "moves": [0.1, math.nan]}
    assert checks._first_fault(row, found) == []
    (fault,) = checks._first_fault(row, found | {"moves": [0.1, 0.1]})
    assert fault == "the move of step 2 was not finite and is 0.1"
    (fault,) = checks._first_fault(row, found | {"losses": [5.0]})
    assert fault == "training now fails in step 2"


# --- whole runs -------------------------------------------------------------


def change_a_late_loss(row):
    row["losses"][8] *= 1 + 1e-5


def change_a_late_norm(row):
    row["grad_norms"].pop()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (change_a_late_loss, "in a whole run losses[8] was"),
        (change_a_late_norm, "grad_norms has 11 entries, and 12 in a whole run"),
    ],
)
def test_a_whole_run_must_be_the_same_to_the_last_bit(tmp_path, change, fault):
    stored(tmp_path, BARE, change=change)
    assert checked(tmp_path).faults == ()
    (found,) = checked(tmp_path, full=True).faults
    assert fault in found


def test_a_whole_run_ends_with_the_stored_table(tmp_path):
    row = stored(tmp_path, BARE)
    table = load_table(tmp_path, row["key"])
    table[0, 0] *= 1 + 1e-6
    save_table(tmp_path, row["key"], table)
    assert checked(tmp_path).faults == ()
    (fault,) = checked(tmp_path, full=True).faults
    assert "prompt embeddings are not the stored ones" in fault


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"device": "cuda Some GPU"}, "it ran on cuda Some GPU, this is cpu"),
        ({"versions": {"torch": "1.0"}}, "it ran with .*torch 1.0 and not"),
    ],
)
def test_bits_are_compared_only_where_they_can_be_the_same(tmp_path, change, note):
    def elsewhere(row):
        change_a_late_loss(row)
        row.update(change)

    stored(tmp_path, BARE, change=elsewhere)
    check = checked(tmp_path, full=True)
    assert check.faults == () and "cannot be repeated here" in str(check)
    assert re.search(note, str(check))


def test_the_page_of_results_names_the_tolerances():
    page = (REPOSITORY / "data" / "results" / "README.md").read_text()
    names = {"loss": "loss", "gradient norm": "gradient norm"}
    names["move"] = "move of the prompt embeddings"
    for name, (_, tolerances) in checks.FIRST_STEPS.items():
        (line,) = re.findall(rf"\| {names[name]} \|(.*)\|", page)
        told = [float(cell) for cell in line.split("|") if cell.strip()]
        assert tuple(told) == tolerances
    text = " ".join(page.split())
    assert f"within {checks.LOG_PROB_TOLERANCE} nats" in text
    assert f"a tie, within {checks.TIE}," in text
    assert f"of the row, within {checks.LENGTH_TOLERANCE:f}"[:-2] in text


# --- which rows -------------------------------------------------------------


def test_rows_are_drawn_and_all_of_them_if_there_are_fewer(true_folder):
    checks = verify(9, folder=true_folder)
    assert [check.faults for check in checks] == [()] * 6, "all that there are"
    keys = {tuple(c.row["key"] for c in verify(1, folder=true_folder)) for _ in "12345"}
    assert len(keys) > 1


def test_a_row_is_checked_with_its_own_number_of_threads(tmp_path, monkeypatch):
    stored(tmp_path, BARE, change=lambda row: row.update(threads=3))
    used = []

    def noted(*arguments, **options):
        used.append(torch.get_num_threads())
        return run.fit(*arguments, **options)

    before = torch.get_num_threads()
    monkeypatch.setattr(checks, "fit", noted)
    assert checked(tmp_path).faults == ()
    assert used == [3] and torch.get_num_threads() == before


def test_a_guess_must_be_the_same_guess(tmp_path):
    job = replace(BASE, template="{answer}", control="majority", lr=None)
    row = stored(tmp_path, job)
    assert checked(tmp_path).faults == ()
    flip_a_hit(row)
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    assert any("in a whole run test_hits was" in f for f in checked(tmp_path).faults)


def test_no_rows_to_verify_is_said(tmp_path):
    with pytest.raises(StudyError, match="no rows to verify"):
        verify(1, folder=tmp_path)


@pytest.mark.embedded
def test_a_stored_row_holds(embedded_lm):
    """Drawn anew at each run of the tests."""
    (check,) = verify(1)
    assert not check.faults, str(check)
