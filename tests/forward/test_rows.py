"""What is no list of rows is refused with words, whatever call it is given to."""

import pandas as pd
import pytest
from datasets import Dataset

import ptlearn as pt
from ptlearn.errors import DataError
from ptlearn.evaluation import answer_probabilities, answer_table, word_log_probs
from ptlearn.forward.answer_table import all_tokens
from ptlearn.forward.scoring import as_rows, score

ROWS = [{"subject": "Osaka"}, {"subject": "Rio"}]
CALLS = {
    "predict": lambda prompt, rows: prompt.predict(rows, ["Japan", "Brazil"]),
    "answer_log_probs": lambda prompt, rows: prompt.answer_log_probs(rows),
    "generate": lambda prompt, rows: prompt.generate(rows),
    "answer_table": lambda prompt, rows: answer_table(prompt, rows, ["Japan"]),
}
NO_ROWS = {
    "one row": ({"subject": "Osaka"}, "rows is a single dict, {'subject': 'Osaka'}; "),
    "a file": ("rows.csv", "rows is a text, 'rows.csv'; give a list of dicts"),
    "texts": (["Osaka"], "row 0 of rows is 'Osaka', not a dict like"),
    "a number": (5, "rows is 5; give a list of dicts"),
    "nothing": (None, "rows is None; give a list of dicts"),
}


@pytest.fixture(scope="module")
def prompt():
    return pt.Prompt(pt.load_lm("tiny"), "{subject} is in {answer}")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("given", NO_ROWS)
def test_what_is_no_list_of_rows_is_told(prompt, call, given):
    rows, message = NO_ROWS[given]
    with pytest.raises(DataError, match=message):
        CALLS[call](prompt, rows)


@pytest.mark.parametrize("make", [list, tuple, iter, pd.DataFrame, Dataset.from_list])
def test_rows_come_in_many_forms(make):
    assert as_rows(make(ROWS)) == ROWS


@pytest.mark.parametrize("table", [answer_probabilities, answer_table, word_log_probs])
def test_no_rows_give_an_empty_table(prompt, table):
    found = table(prompt, [], ["Japan", "Brazil"])
    assert found.shape == (0, 2) and list(found) == ["Japan", "Brazil"]


def test_the_whole_vocabulary_after_no_rows_is_as_wide_as_ever(prompt):
    assert all_tokens(prompt, []).shape[1] == all_tokens(prompt, ROWS).shape[1]


@pytest.mark.parametrize("call", [answer_table, score])
@pytest.mark.parametrize("rows", [ROWS, []])
def test_no_answers_are_told(prompt, call, rows):
    with pytest.raises(DataError, match="no answers to choose from: give at least one"):
        call(prompt, rows, [])
