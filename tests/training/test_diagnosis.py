"""A diagnosis names what is wrong with a prompt, and leaves the prompt as it was."""

import math
from dataclasses import replace

import pandas as pd
import pytest
import torch

import ptlearn as pt
from ptlearn.course.clinic import NoGradient, WrongPlace
from ptlearn.training.diagnosis import diagnose
from ptlearn.training.history import History
from ptlearn.training.score_findings import (
    gap_finding,
    level_finding,
    share_on_answers,
    yardsticks,
)

TEMPLATE = "{text}\nSentiment: [V:2] {answer}"
GOOD = ["a fine thing", "I love it", "works so well", "best of all", "very nice", "yes"]
BAD = ["a poor thing", "I hate it", "broke at once", "worst of all", "so bad", "no"]
ROWS = [
    {"text": text, "answer": answer}
    for pair in zip(GOOD, BAD, strict=True)
    for text, answer in zip(pair, ("positive", "negative"), strict=True)
]


@pytest.fixture(scope="module")
def lm():
    return pt.load_lm("tiny")


@pytest.fixture
def task():
    return pt.Task.from_rows(ROWS[:8], ROWS[8:])


def states(prompted, task, history=None, **options) -> dict[str, str]:
    found = diagnose(prompted, task, history, **{"eight_rows": False} | options)
    return dict(zip(found["check"], found["state"], strict=True))


def said(prompted, task, check, **options) -> str:
    told = []
    diagnose(prompted, task, tell=told.append, **{"eight_rows": False} | options)
    return str(next(finding for finding in told if finding.check == check))


def test_a_sound_prompt_has_no_failure(lm, task):
    found = states(pt.PromptTuner(lm, TEMPLATE), task)
    assert "FAIL" not in found.values()
    assert list(found) == [
        "fields", "answers", "length", "cut inputs", "splits", "labels", "table",
        "gradient", "place of the loss", "loss", "train and dev", "predictions",
    ]  # fmt: skip


def test_the_table_for_a_notebook_says_what_to_do(lm, task):
    frame = pt.training.diagnose(pt.PromptTuner(lm, TEMPLATE), task, eight_rows=False)
    assert list(frame.columns) == ["check", "state", "found", "what to do"]
    bad = frame[frame["state"] != "OK"]
    assert len(bad) and (bad["what to do"] != "").all()


# --- rows and template ------------------------------------------------------


def test_a_template_without_the_field_fails(lm, task):
    tuner = pt.PromptTuner(lm, "Review\nSentiment: [V:2] {answer}")
    assert states(tuner, task)["fields"] == "FAIL"
    assert "{text}" in said(tuner, task, "fields")


def test_a_field_that_is_dropped_is_worth_a_look(lm):
    rows = [row | {"customer": str(i)} for i, row in enumerate(ROWS)]
    found = said(pt.PromptTuner(lm, TEMPLATE), pt.Task.from_rows(rows), "fields")
    assert found.startswith("[LOOK]") and "it drops customer" in found


def test_a_field_that_the_data_lack_ends_the_diagnosis(lm, task):
    tuner = pt.PromptTuner(lm, "{review} [V:2] {answer}")
    assert states(tuner, task) == {"fields": "FAIL", "answers": "OK"}


def test_labels_that_are_no_candidates_fail(lm, task):
    tuner = pt.PromptTuner(lm, TEMPLATE)
    found = said(tuner, task, "answers", answers=["good", "bad"])
    assert found.startswith("[FAIL]") and "100% of the rows" in found
    assert states(tuner, task, answers=task.answers)["answers"] == "OK"


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (["positive", "negative", " "], "the answer ' ' has no tokens"),
        (["good", " "], "100% of the rows"),
        ([], "there are no candidates"),
    ],
)
def test_candidates_that_cannot_be_used_end_in_the_table(lm, task, answers, told):
    tuner = pt.PromptTuner(lm, TEMPLATE)
    assert told in said(tuner, task, "answers", answers=answers)
    found = states(tuner, task, answers=answers)
    assert found["answers"] == "FAIL" and found["length"] == "OK"
    assert "labels" in found and "predictions" not in found


def test_rows_without_room_for_a_long_candidate_are_left_out(lm):
    tuner = pt.PromptTuner(lm, TEMPLATE)
    length = len(tuner.tokens.encode(ROWS[7] | {"text": ""}).ids)
    full = ROWS[7] | {"text": "a" + " a" * (lm.context_window - length - 3)}
    tuner.tokens.encode(full)  # with its own answer it fits
    answers = ["positive", "negative", "neither the one nor the other"]
    found = states(tuner, pt.Task.from_rows([*ROWS[:7], full]), answers=answers)
    assert found["length"] == "FAIL" and "predictions" in found
    longer = [*answers, "word " * lm.context_window]
    found = states(tuner, pt.Task.from_rows(ROWS), answers=longer)
    assert found["length"] == "FAIL" and "predictions" not in found


def test_an_answer_that_begins_another_is_worth_a_look(lm):
    rows = [{"text": t, "answer": a} for t, a in (("x", "New"), ("y", "New York"))]
    with pytest.warns(UserWarning, match="beginning"):
        found = states(pt.PromptTuner(lm, TEMPLATE), pt.Task.from_rows(rows))
    assert found["answers"] == "LOOK"


@pytest.mark.parametrize("budget", [5, None])
def test_rows_over_the_budget_or_the_window_fail(lm, task, budget):
    long = ROWS[:8] if budget else [*ROWS[:7], ROWS[7] | {"text": "long " * 600}]
    found = said(
        pt.PromptTuner(lm, TEMPLATE), pt.Task.from_rows(long), "length",
        max_tokens=budget,
    )  # fmt: skip
    assert found.startswith("[FAIL]") and f"longer than {budget or 512} tokens" in found


def test_texts_that_end_in_a_heap_look_cut(lm):
    rows = [row | {"text": f"{i} {row['text']}"[:8]} for i, row in enumerate(ROWS)]
    found = said(pt.PromptTuner(lm, TEMPLATE), pt.Task.from_rows(rows), "cut inputs")
    assert found.startswith("[LOOK]") and "exactly 8 characters" in found


def test_empty_texts_are_worth_a_look(lm):
    rows = [*ROWS[:7], ROWS[7] | {"text": " "}]
    found = said(pt.PromptTuner(lm, TEMPLATE), pt.Task.from_rows(rows), "cut inputs")
    assert found.startswith("[LOOK] cut inputs: 1 of 8 rows")


def test_a_row_in_two_splits_fails(lm):
    again = {"text": " A FINE thing ", "answer": "positive"}
    task = pt.Task.from_rows(ROWS[:8], [again, *ROWS[8:]])
    found = said(pt.PromptTuner(lm, TEMPLATE), task, "splits")
    assert found.startswith("[FAIL] splits: 1 of 5 rows")


def test_an_input_with_two_labels_is_worth_a_look(lm):
    rows = [*ROWS, ROWS[0] | {"answer": "negative"}]
    assert states(pt.PromptTuner(lm, TEMPLATE), pt.Task.from_rows(rows))["labels"] == (
        "LOOK"
    )


# --- gradient and loss ------------------------------------------------------


@pytest.mark.parametrize("encoder", ["none", "mlp"])
def test_no_gradient_and_the_wrong_place_fail(lm, task, encoder):
    found = states(NoGradient(lm, TEMPLATE, encoder=encoder), task)
    assert (found["gradient"], found["place of the loss"]) == ("FAIL", "OK")
    early = WrongPlace(lm, TEMPLATE, encoder=encoder)
    found = states(early, task)
    assert (found["gradient"], found["place of the loss"]) == ("FAIL", "FAIL")
    assert "Virtual token 1 stands after" in said(early, task, "gradient")


def test_the_loss_of_a_loop_of_ones_own_is_looked_at(lm, task):
    def other_answer(tuner, rows):
        flipped = {"positive": "negative", "negative": "positive"}
        wrong = [row | {"answer": flipped[row["answer"]]} for row in rows]
        examples = [tuner.tokens.encode(row) for row in wrong]
        return 2 - tuner(examples).mean()

    def detached(tuner, rows):
        return -tuner.answer_log_probs(rows).mean()

    tuner = pt.PromptTuner(lm, TEMPLATE)
    assert states(tuner, task, loss=other_answer)["place of the loss"] == "FAIL"
    assert states(tuner, task, loss=detached)["gradient"] == "FAIL"


def test_a_table_that_is_not_finite_ends_the_diagnosis(lm, task):
    tuner = pt.PromptTuner(lm, TEMPLATE, init=torch.full((2, 32), math.nan))
    found = states(tuner, task)
    assert found["table"] == "FAIL" and "gradient" not in found


def test_vectors_much_longer_than_words_are_worth_a_look(lm, task):
    tuner = pt.PromptTuner(lm, TEMPLATE, init=torch.full((2, 32), 10.0))
    assert states(tuner, task)["table"] == "LOOK"


def test_the_yardsticks_are_those_of_the_labels():
    even, prior = yardsticks(["a", "a", "a", "b"])
    assert even == pytest.approx(math.log(2))
    assert prior == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))


@pytest.mark.parametrize(("loss", "state"), [(3.0, "LOOK"), (0.7, "LOOK"), (0.3, "OK")])
def test_a_loss_is_held_against_the_yardsticks(loss, state):
    assert level_finding(loss, ROWS, "dev", 0.9).state == state


def test_a_high_loss_is_ignorance_or_false_confidence():
    assert "not yet know" in level_finding(3.0, ROWS, "dev", 0.1).remedy
    sure = level_finding(3.0, ROWS, "dev", 0.9)
    assert "sure of wrong ones" in sure.remedy and "90% of the prob" in sure.found


def test_the_share_on_the_answers_is_that_of_their_first_tokens(lm):
    prompt = pt.Prompt(lm, "{text} It is {answer}")
    rows = [
        {"text": row["text"], "answer": a}
        for row, a in zip(ROWS[:2], ["yes", "no"], strict=True)
    ]
    table = pt.evaluation.answer_table(prompt, rows, ["yes", "no"], progress=False)
    by_hand = table.map(math.exp).sum(axis=1).mean()
    assert share_on_answers(prompt, rows) == pytest.approx(by_hand, rel=1e-5)


def test_what_is_found_reads_as_a_sentence(lm, task):
    tuner, history = pt.PromptTuner(lm, TEMPLATE), run([3, 2, 1], [3, 2, 1], 9.0, 5.0)
    found = diagnose(tuner, task, history, eight_rows=False).set_index("check")["found"]
    assert "3 of 3 gradients were longer than 1 and shortened" in found["rate"]
    assert "e+" not in found["rate"] and "a LOOK from 500" in found["rate"]
    assert "the commonest answer alone would get 2" in found["predictions"]
    assert "the same rows have" in found["place of the loss"]


def test_what_was_learnt_and_does_not_hold_is_worth_a_look():
    assert gap_finding(0.1, 0.9, ROWS).state == "LOOK"
    assert gap_finding(0.1, 0.3, ROWS).state == "OK"


# --- the rate ---------------------------------------------------------------


def run(losses, dev_losses, lr, norm=0.5) -> History:
    records = [
        {"step": i + 1, "loss": loss, "lr": lr, "grad_norm": norm, "dev_loss": dev}
        for i, (loss, dev) in enumerate(zip(losses, dev_losses, strict=True))
    ]
    return History(records)


@pytest.mark.parametrize(
    ("history", "state"),
    [
        (run([3, 2, 1], [3, 2, 1], 0.1), "OK"),
        (run([3, 3, 3], [3, 3, 3], 1e-5), "FAIL"),
        (run([3, 9, 8], [5, 5, 5], 3.0), "LOOK"),
        (run([3, 1, 1], [2, 1, 4], 3.0), "LOOK"),
        (run([3, 3, 3], [3, 3, 3], 0.1, norm=0.0), "LOOK"),
    ],
    ids=["sound", "cold", "hot at first", "hot at the end", "no gradient"],
)
def test_the_rate_is_judged_by_the_run(lm, task, history, state):
    assert states(pt.PromptTuner(lm, TEMPLATE), task, history)["rate"] == state


# --- eight rows -------------------------------------------------------------


def test_eight_rows_leave_the_tuner_as_it_was(lm, task):
    tuner = pt.PromptTuner(lm, TEMPLATE, encoder="mlp")
    before = tuner.prompt_embeddings().detach().clone()
    found = said(tuner, task, "eight rows", eight_rows=True, lr=1e-3)
    assert "at lr 0.001" in found
    assert torch.equal(tuner.prompt_embeddings(), before) and tuner.answers == []


def test_eight_rows_at_a_rate_that_breaks_the_run_are_said_so(lm, task):
    tuner = pt.PromptTuner(lm, TEMPLATE)
    found = said(tuner, task, "eight rows", eight_rows=True, lr=1e38)
    assert "loss is inf" in found


# --- prompts ----------------------------------------------------------------


def test_a_folded_prompt_is_looked_at_through_its_own_table(lm, task):
    tuner = pt.PromptTuner(lm, '{text} [V:"It is"] {answer}')
    pt.fit(tuner, task, steps=2, progress=False)
    mine = pt.training.diagnose(tuner, task, eight_rows=False)
    folded = pt.training.diagnose(tuner.fold(), task, eight_rows=False)
    pd.testing.assert_frame_equal(mine, folded)


def test_a_wording_has_no_gradient_to_look_at(lm, task):
    found = states(pt.Prompt(lm, "{text} It is {answer}"), task)
    assert "gradient" not in found and "loss" in found


def test_a_prediction_that_is_always_the_same_is_worth_a_look(lm, task):
    tuner = pt.PromptTuner(lm, "Review [V:2] {answer}")
    assert states(tuner, task)["predictions"] == "LOOK"


def test_without_dev_rows_train_rows_are_scored(lm, task):
    alone = replace(task, rows={"train": task.train})
    assert " train rows" in said(pt.PromptTuner(lm, TEMPLATE), alone, "loss")
