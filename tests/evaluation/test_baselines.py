"""Controls: what a task gives away without a language model that knows anything."""

import pandas as pd
import pytest

import ptlearn as pt
from ptlearn.errors import DataError, PromptError
from ptlearn.evaluation import text_baselines, wilson_interval
from ptlearn.lm.load import random_lm_like

TRAIN = [{"text": f"good film {i}", "answer": "positive"} for i in range(6)]
TRAIN += [{"text": f"bad film {i}", "answer": "negative"} for i in range(4)]
TEST = [
    {"text": "a good one", "answer": "positive"},
    {"text": "a bad one", "answer": "negative"},
    {"text": "so bad", "answer": "negative"},
    {"text": "good good", "answer": "negative"},
]


@pytest.fixture(scope="module")
def lm():
    return pt.load_lm("tiny")


@pytest.fixture(scope="module")
def task():
    return pt.Task.from_rows(TRAIN, test=TEST, name="toy")


def test_both_learn_from_the_training_rows_alone(task):
    found = text_baselines(task)
    assert found["majority"].tolist() == ["positive"] * 4
    assert found["naive Bayes"].tolist() == [
        "positive",
        "negative",
        "negative",
        "positive",
    ]
    other = task.with_rows(test=[dict(row, answer="negative") for row in TEST])
    pd.testing.assert_frame_equal(text_baselines(other), found)


def test_a_name_never_seen_is_guessed_from_its_pieces():
    train = [{"text": f"{a}{b}ville", "answer": "France"} for a in "ABC" for b in "aeo"]
    train += [
        {"text": f"{a}{b}burg", "answer": "Germany"} for a in "ABC" for b in "aeo"
    ]
    test = [
        {"text": "Xyzburg", "answer": "Germany"},
        {"text": "Xyzville", "answer": "France"},
    ]
    found = text_baselines(pt.Task.from_rows(train, test=test))
    assert found["naive Bayes"].tolist() == ["Germany", "France"]


@pytest.mark.slow
def test_controls_stand_beside_the_score(task, lm):
    frame = pt.controls(task, lm, "{text} {answer}", progress=False)
    assert list(frame.index) == ["majority", "naive Bayes", "random-weight LM"]
    assert frame.loc["majority", "accuracy"] == 1 / 4
    assert frame.loc["naive Bayes", "accuracy"] == 3 / 4
    assert tuple(frame.loc["naive Bayes", ["low", "high"]]) == wilson_interval(3, 4)
    assert (frame["n"] == 4).all()


def test_the_random_model_is_scored_as_any_other(task, lm):
    frame = pt.controls(task, lm, "{text} {answer}", seed=3, progress=False)
    prompt = pt.Prompt(random_lm_like(lm, seed=3), "{text} {answer}")
    report = pt.evaluate(prompt, task, progress=False)
    assert frame.loc["random-weight LM", "accuracy"] == report.accuracy


def test_easy_rows_are_those_that_need_no_language_model(task):
    easy = pt.easy_rows(task)
    assert easy.tolist() == [True, True, True, False]
    assert (easy.name, easy.dtype) == ("easy", bool)


def test_controls_need_a_wording_and_rows_to_learn_from(task, lm):
    with pytest.raises(PromptError, match="needs a table"):
        pt.controls(task, lm, "[V:3] {text} {answer}")
    with pytest.raises(DataError, match="given no train split"):
        pt.controls(pt.Task.from_rows(None, test=TEST), lm, "{text} {answer}")
    blank = pt.Task.from_rows([dict(row, text=" ") for row in TRAIN], test=TEST)
    with pytest.raises(DataError, match="train rows of .* have no text"):
        pt.easy_rows(blank)
