"""Predictions against brute force, reports and controls."""

import pandas as pd
import pytest
import torch
from small_models import causal_lm, masked_lm
from tqdm.auto import tqdm

import ptlearn as pt
from ptlearn.forward import scoring
from ptlearn.forward.answer_trie import TrieSearch
from ptlearn.forward.plan import Plan
from ptlearn.training import run as training_run

ROWS = [
    {"subject": "Osaka", "answer": "Japan"},
    {"subject": "Port Moresby", "answer": "Papua New Guinea"},
    {"subject": "Rio", "answer": "Brazil"},
    {"subject": "Lagos", "answer": "New Guinea"},
]
# Several share a beginning, and most have several tokens.
ANSWERS = ["Japan", "Papua New Guinea", "Papua New", "New Guinea", "Brazil", "Nigeria"]
ANSWERS += ["Guinea", "New Japan", "Papua Brazil", "Brazil New Guinea"]


pytestmark = pytest.mark.filterwarnings("ignore:the answer")


def brute_force(prompted, rows, answers):
    """Every answer of every row by a forward pass of its own."""
    table = [
        [
            prompted.answer_log_probs([dict(row, answer=answer)]).item()
            for answer in answers
        ]
        for row in rows
    ]
    return torch.tensor(table)


CAUSAL, MASKED = ["gpt2", "llama, grouped-query, tied"], ["bert", "roberta"]
TEMPLATES = [
    "{subject} is in {answer}",
    "[V:3] {subject} [V:2] {answer}",
    "{subject} [V:2] {answer}",
]


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("name", CAUSAL + MASKED)
@pytest.mark.parametrize("fast", [True, False])
def test_predict_is_the_best_of_all_answers(name, template, fast):
    lm = masked_lm(name) if name in MASKED else causal_lm(name)
    virtual = "[V" in template
    prompted = pt.PromptTuner(lm, template) if virtual else pt.Prompt(lm, template)
    prompted._plan = Plan(lm, prompted.template, fast=fast)
    wanted = brute_force(prompted, ROWS, ANSWERS)
    scores = scoring.score(prompted, ROWS, ANSWERS, batch_size=3)
    best = wanted.argmax(1).tolist()
    assert scores.predicted == [ANSWERS[i] for i in best]
    assert torch.allclose(torch.tensor(scores.predicted_log_prob), wanted.max(1)[0])
    gold = [wanted[i, ANSWERS.index(row["answer"])] for i, row in enumerate(ROWS)]
    assert torch.allclose(torch.tensor(scores.gold_log_prob), torch.stack(gold))


def test_walk_finds_an_answer_behind_an_unlikely_beginning():
    children = {(): [1, 2], (2,): [3]}
    walk = TrieSearch(children, {(1,), (2, 3)}, gold=())
    walk.learn((), torch.tensor([0.0, 0.4, 0.6, 0.0]).log())
    assert walk.best == (1,)
    assert walk.next_paths() == [(2,)], "0.6 may still beat 0.4"
    walk.learn((2,), torch.tensor([0.1, 0.1, 0.0, 0.8]).log())
    assert walk.best == (2, 3) and walk.next_paths() == []


def test_walk_never_enters_a_branch_that_cannot_win():
    walk = TrieSearch({(): [1, 2], (2,): [3]}, {(1,), (2, 3)}, gold=())
    walk.learn((), torch.tensor([0.0, 0.7, 0.3, 0.0]).log())
    assert walk.next_paths() == []


def test_p_at_1_is_strict_over_the_whole_vocabulary():
    lm = causal_lm("gpt2")
    prompt = pt.Prompt(lm, "{subject} is in {answer}")
    tokens = prompt.tokens
    with torch.no_grad():
        logits = prompt._plan.logits(None, [tokens.encode(row) for row in ROWS])
    hits, start = [], 0
    for row in ROWS:
        targets = tokens.encode(row).targets
        top = logits[start : start + len(targets)].argmax(1)
        hits.append(top.tolist() == list(targets))
        start += len(targets)
    first = lm.tokenizer.decode([int(logits[0].argmax())]).strip()
    assert scoring.score(prompt, ROWS, ANSWERS).hit == hits
    if first:
        row = dict(ROWS[0], answer=first)
        assert scoring.score(prompt, [row], [first]).hit in ([True], [False])


def test_rows_without_answers_are_predicted_all_the_same():
    prompt = pt.Prompt(pt.load_lm("tiny"), "{subject} is in {answer}")
    bare = [{"subject": row["subject"]} for row in ROWS]
    assert prompt.predict(bare, ANSWERS) == prompt.predict(pd.DataFrame(ROWS), ANSWERS)


@pytest.fixture(scope="module")
def task():
    train = [{"text": f"good film {i}", "answer": "positive"} for i in range(6)] + [
        {"text": f"bad film {i}", "answer": "negative"} for i in range(4)
    ]
    test = [
        {"text": "a good one", "answer": "positive"},
        {"text": "a bad one", "answer": "negative"},
        {"text": "so bad", "answer": "negative"},
    ]
    return pt.Task.from_rows(train, test=test, name="toy")


def test_report_counts_and_intervals(task):
    lm = pt.load_lm("tiny")
    report = pt.evaluate(pt.Prompt(lm, "{text} {answer}"), task)
    assert report.n == 3 and set(report.rows["predicted"]) <= set(task.answers)
    low, high = report.accuracy_interval
    assert 0 <= low <= report.accuracy <= high <= 1
    assert report.loss > 0
    assert "n=3" in repr(report)
    # Wilson's interval for 2 of 3, from the formula.
    assert pt.evaluation.report.wilson_interval(2, 3) == pytest.approx(
        (0.2077, 0.9385), abs=1e-3
    )


def test_controls_stand_beside_the_score(task):
    frame = pt.controls(task, pt.load_lm("tiny"), "{text} {answer}", progress=False)
    assert list(frame.index) == ["majority", "naive Bayes", "random-weight LM"]
    assert frame.loc["majority", "accuracy"] == pytest.approx(1 / 3)
    assert frame.loc["naive Bayes", "accuracy"] == 1
    assert (frame["low"] <= frame["accuracy"]).all()


def test_easy_rows_are_those_that_need_no_language_model(task):
    assert pt.easy_rows(task).tolist() == [True, True, True]
    hard = task.with_rows(test=[{"text": "good good", "answer": "negative"}])
    assert pt.easy_rows(hard).tolist() == [False]


def test_the_environment_can_hide_progress_bars(task, monkeypatch):
    """In a notebook as well, where tqdm does not look at the variable by itself."""
    asked = []

    def recorded(*args, disable, **options):
        asked.append(disable)
        return tqdm(*args, **options, disable=True)

    for module in (scoring, training_run):
        monkeypatch.setattr(module, "tqdm", recorded)
    tuner = pt.PromptTuner(causal_lm("gpt2"), "[V] {text} {answer}")
    for silenced, wanted in (("1", True), ("0", None)):
        monkeypatch.setenv("TQDM_DISABLE", silenced)
        pt.evaluate(tuner, task, progress=True)
        pt.fit(tuner, task, steps=1, progress=True)
        assert len(asked) >= 2 and set(asked) == {wanted}
        asked.clear()


def test_a_split_that_was_not_given_says_so(task):
    prompt = pt.Prompt(pt.load_lm("tiny"), "{text} {answer}")
    with pytest.raises(pt.errors.DataError, match="dev"):
        pt.evaluate(prompt, task, split="dev")


def test_a_missing_column_names_those_there_are(task):
    prompt = pt.Prompt(pt.load_lm("tiny"), "{review} {answer}")
    with pytest.raises(pt.errors.DataError, match="needs a column 'review'.*text"):
        pt.evaluate(prompt, task)


def test_an_answer_that_begins_another_is_warned_of():
    prompt = pt.Prompt(pt.load_lm("tiny"), "{subject} is in {answer}")
    with pytest.warns(
        UserWarning, match="'Papua New' is the beginning of 'Papua New G"
    ):
        prompt.predict(ROWS, ["Papua New", "Papua New Guinea"])
