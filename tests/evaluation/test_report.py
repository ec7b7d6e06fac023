"""Reports: what they hold, and intervals that are the textbook's."""

import pandas as pd
import pytest

import ptlearn as pt
from ptlearn.errors import DataError
from ptlearn.evaluation import wilson_interval

ROWS = [
    {"text": "a good film", "hit": "song", "log_prob": "x", "answer": "good"},
    {"text": "a bad film", "hit": "single", "log_prob": "y", "answer": "bad"},
]


@pytest.fixture(scope="module")
def lm():
    return pt.load_lm("tiny")


def test_columns_called_like_results_are_kept_beside_them(lm):
    task = pt.Task.from_rows(ROWS, test=ROWS)
    prompt = pt.Prompt(lm, "{text}, a {hit}, is {answer}")
    report = pt.evaluate(prompt, task, progress=False)
    assert report.rows["hit (input)"].tolist() == ["song", "single"]
    assert report.rows["log_prob (input)"].tolist() == ["x", "y"]
    assert report.rows["hit"].dtype == bool
    assert 0 <= report.p_at_1 <= 1 and report.loss > 0


def test_an_ordinary_task_has_its_columns_and_four_results(lm):
    rows = [{"text": row["text"], "answer": row["answer"]} for row in ROWS]
    task = pt.Task.from_rows(rows, test=rows)
    report = pt.evaluate(pt.Prompt(lm, "{text} {answer}"), task, progress=False)
    columns = ["text", "answer", "predicted", "correct", "hit", "log_prob"]
    assert report.rows.columns.tolist() == columns
    right = report.rows["predicted"] == report.rows["answer"]
    pd.testing.assert_series_equal(right, report.rows["correct"], check_names=False)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # Newcombe 1998, table I, method 3 (Wilson's score without continuity correction)
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)],
)
def test_the_interval_is_wilsons(hits, n, low, high):
    assert wilson_interval(hits, n) == pytest.approx((low, high), abs=5e-5)


def test_a_report_counts_its_rows_and_gives_intervals(lm):
    task = pt.Task.from_rows(ROWS, test=ROWS)
    report = pt.evaluate(pt.Prompt(lm, "{text} {answer}"), task, progress=False)
    assert report.n == 2 and set(report.rows["predicted"]) <= set(task.answers)
    low, high = report.accuracy_interval
    assert 0 <= low <= report.accuracy <= high <= 1
    assert "n=2" in repr(report)


def test_a_split_that_was_not_given_says_so(lm):
    task = pt.Task.from_rows(ROWS, test=ROWS)
    with pytest.raises(DataError, match="given no dev split"):
        pt.evaluate(pt.Prompt(lm, "{text} {answer}"), task, split="dev")


def test_a_missing_column_names_those_there_are(lm):
    task = pt.Task.from_rows(ROWS, test=ROWS)
    with pytest.raises(DataError, match="needs a column 'review'.*text"):
        pt.evaluate(pt.Prompt(lm, "{review} {answer}"), task)
