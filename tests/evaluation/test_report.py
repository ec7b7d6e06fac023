"""Reports: what they hold, and intervals that are the textbook's."""

import pandas as pd
import pytest

import ptlearn as pt
from ptlearn.errors import DataError
from ptlearn.evaluation import Report, wilson_interval

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
    assert report.p_at_1 == report.rows["hit"].mean()


def test_numbers_are_shares_and_means_of_the_rows():
    rows = pd.DataFrame(
        {
            "hit": [True, False, False, False],
            "correct": [True, True, True, False],
            "log_prob": [-0.5, -1.5, -2.0, -4.0],
        }
    )
    report = Report(rows, "dev")
    assert (report.n, report.p_at_1, report.accuracy, report.loss) == (4, 0.25, 0.75, 2)
    assert report.p_at_1_interval == wilson_interval(1, 4)
    assert report.accuracy_interval == wilson_interval(3, 4)
    assert "dev, n=4, p_at_1=0.250" in repr(report)


def test_a_tuner_is_scored_as_it_is_after_folding(lm):
    config = pt.EncoderConfig("mlp", dropout=0.5)
    tuner = pt.PromptTuner(lm, "{text} [V:3] {answer}", encoder=config).train()
    task = pt.Task.from_rows(ROWS, dev=ROWS)
    reports = [
        pt.evaluate(one, task, split="dev", progress=False)
        for one in (tuner, tuner.fold())
    ]
    pd.testing.assert_frame_equal(reports[0].rows, reports[1].rows, check_exact=True)
    assert tuner.training, "scoring leaves the mode as it was"


def test_log_probabilities_are_those_of_the_prompt(lm):
    task = pt.Task.from_rows(ROWS, test=ROWS)
    prompt = pt.Prompt(lm, "{text} {answer}")
    report = pt.evaluate(prompt, task, progress=False)
    wanted = prompt.answer_log_probs(ROWS).tolist()
    assert report.rows["log_prob"].tolist() == pytest.approx(wanted, abs=1e-4)


def test_a_split_that_was_not_given_says_so(lm):
    task = pt.Task.from_rows(ROWS, test=ROWS)
    with pytest.raises(DataError, match="given no dev split, only train, test"):
        pt.evaluate(pt.Prompt(lm, "{text} {answer}"), task, split="dev")


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
