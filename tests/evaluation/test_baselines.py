"""Controls: what a task gives away without a language model that has learnt."""

import pytest

import ptlearn as pt


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
