"""Label words: one pass, honest about few rows, and clear about what is refused."""

import numpy as np
import pytest
from small_models import causal_lm

import ptlearn as pt
from ptlearn.errors import DataError
from ptlearn.evaluation import frequent_words, score_label_words, word_log_probs
from ptlearn.evaluation.label_words import _share_chosen

ROWS = [
    {"text": "a good good film", "answer": "yes"},
    {"text": "very good", "answer": "yes"},
    {"text": "a bad film", "answer": "no"},
    {"text": "it was bad", "answer": "no"},
]


@pytest.fixture(scope="module")
def prompt():
    return pt.Prompt(causal_lm("gpt2"), "{text} it was {answer}")


@pytest.fixture(scope="module")
def task():
    return pt.Task.from_rows(ROWS, dev=ROWS)


def test_one_pass_gives_the_score_of_each_word(prompt):
    words = ["good", "bad", "very"]
    table = word_log_probs(prompt, ROWS, words, batch_size=3)
    for word in words:
        rows = [row | {"answer": word} for row in ROWS]
        wanted = prompt.answer_log_probs(rows).tolist()
        assert table[word].tolist() == pytest.approx(wanted, abs=1e-6)


def test_combinations_have_the_accuracy_of_the_relabelled_task(prompt, task):
    candidates = {"yes": ["good", "city"], "no": ["bad", "good", "film"]}
    frame = score_label_words(prompt, task, candidates, progress=False)
    assert len(frame) == 5, "one word cannot stand for both"
    for line in frame.to_dict("records"):
        words = {answer: line[answer] for answer in task.answers}
        new = task.with_label_words(words)
        report = pt.evaluate(prompt, new, split="dev", progress=False)
        assert line["accuracy"] == report.accuracy
        assert (line["low"], line["high"]) == report.accuracy_interval
    assert frame["accuracy"].is_monotonic_decreasing
    assert frame["chosen"].sum() == pytest.approx(1.0)
    assert set(frame["n"]) == {4}


def test_a_lead_of_one_row_is_often_lost_and_a_lead_of_all_rows_never():
    hits = np.zeros((2, 20), dtype=bool)
    hits[0, :11] = hits[1, 10:] = True  # 11 rows against 10
    close = _share_chosen(hits, seed=0)
    assert 0.4 < close[0] < 0.7
    hits[0], hits[1] = True, False
    assert _share_chosen(hits, seed=0).tolist() == [1.0, 0.0]
    assert _share_chosen(np.ones((4, 20), bool), seed=0).tolist() == [0.25] * 4


def test_frequent_words_are_typical_of_their_answer(prompt, task):
    found = frequent_words(prompt, task, 1)
    assert found == {"no": ["bad"], "yes": ["good"]}
    assert all(len(words) <= 3 for words in frequent_words(prompt, task, 3).values())


def test_words_of_several_tokens_are_left_out_and_refused(prompt, task):
    assert len(prompt.tokens.answer_ids("zyzzyva")) > 1
    rows = [row | {"text": row["text"] + " zyzzyva"} for row in ROWS[:2]] + ROWS[2:]
    rare = pt.Task.from_rows(rows)
    assert "zyzzyva" not in frequent_words(prompt, rare)["yes"]
    with pytest.raises(DataError, match=r"'zyzzyva' has \d tokens \(' z"):
        word_log_probs(prompt, ROWS, ["good", "zyzzyva"])


@pytest.mark.parametrize(
    ("candidates", "said"),
    [
        ({"yes": ["good"]}, "no candidate words for the answer 'no'"),
        ({"yes": "good", "no": ["bad", "zyzzyva"]}, "'zyzzyva' has"),
        ({"yes": ["good"], "no": ["good"]}, "one word for two answers.*'no'"),
        ({"yes": range(99), "no": range(99)}, "9,801 combinations .* more than 5,000"),
    ],
)
def test_wrong_candidates_are_told(prompt, task, candidates, said):
    with pytest.raises(DataError, match=said):
        score_label_words(prompt, task, candidates, progress=False)


def test_a_split_that_is_not_there_is_told(prompt, task):
    with pytest.raises(DataError, match="no test split"):
        score_label_words(prompt, task, {"yes": ["a"], "no": ["b"]}, split="test")


def test_rows_without_words_are_told(prompt):
    rows = [{"text": "!", "answer": answer} for answer in ("yes", "no")]
    task = pt.Task.from_rows(rows)
    with pytest.raises(DataError, match="the train rows of my-task have no words"):
        frequent_words(prompt, task)


def test_answers_without_rows_to_compare_are_told(prompt):
    task = pt.Task.from_rows(ROWS, dev=ROWS[:2])
    with pytest.raises(DataError, match="no dev row of my-task has the answer 'no'"):
        frequent_words(prompt, task, split="dev")
    with pytest.raises(DataError, match="every train row of my-task has the .* 'yes'"):
        frequent_words(prompt, pt.Task.from_rows(ROWS[:2]))
