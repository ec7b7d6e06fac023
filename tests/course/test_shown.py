"""Tables that a cell has shown, read out of its stored HTML."""

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ptlearn.course import predictions, shown


def html_of(frame: pd.DataFrame) -> str:
    return frame.to_html()


def test_a_table_is_read_line_by_line():
    frame = pd.DataFrame({"P@1": [0.25], "a & b": ["<x>"]}, index=["words"])
    assert shown.table_rows(html_of(frame)) == [
        ["", "P@1", "a & b"],
        ["words", "0.25", "<x>"],
    ]


def test_the_name_of_the_index_stands_in_the_head():
    frame = pd.DataFrame({"n": [1]}, index=pd.Index(["x"], name="arm"))
    assert shown.table_rows(html_of(frame)) == [["arm", "n"], ["x", "1"]]


def test_the_names_of_columns_and_index_make_one_head():
    frame = pd.DataFrame({"n": [1]}, index=pd.Index(["x"], name="study"))
    rows = shown.table_rows(html_of(frame.rename_axis(columns="contrast")))
    assert rows == [["study", "n"], ["x", "1"]]


def test_a_group_is_named_once_and_its_lines_stay_in_their_columns():
    index = pd.MultiIndex.from_product([["facts", "reviews"], ["bare", "LSTM"]])
    rows = shown.table_rows(html_of(pd.DataFrame({"n": range(4)}, index=index)))
    assert rows[1:3] == [["facts", "bare", "0"], ["", "LSTM", "1"]]


@pytest.fixture
def stored(monkeypatch):
    """A function that gives a lesson's cells with a prediction, and its table."""

    def store(guess):
        frames = []
        monkeypatch.setattr("IPython.display.display", frames.append)
        predictions.beside(guess, {"best | worst": 0.5})
        text = html_of(frames[0])
        output = new_output("display_data", {"text/html": text})
        cells = [
            new_markdown_cell("## A section\nText.\n\n### Below it"),
            new_code_cell("predictions.beside(guess, came)", outputs=[output]),
        ]
        return new_notebook(cells=cells), text

    return store


def test_a_prediction_is_found_with_its_section(stored):
    notebook, text = stored({"best | worst": ...})
    assert shown.predictions(notebook) == [("Below it", "best | worst", "0.5")]
    rows = shown.table_rows(text)
    assert shown.is_prediction(rows)
    assert shown.without_guesses(rows) == [
        ["asked", "what came"],
        ["best | worst", "0.5"],
    ]


def test_what_a_learner_wrote_down_stays(stored):
    _, text = stored({"best | worst": 0.75})
    rows = shown.table_rows(text)
    assert shown.without_guesses(rows) == rows
    assert rows[1] == ["best | worst", "0.75", "0.5", "+0.25"]


def test_markdown_reads_nothing_into_a_cell():
    written = shown.as_markdown([["a|b", "*x*"], ["{subject}", "$1 <b>"]])
    assert written == (
        "| a\\|b | \\*x\\* |\n|---|---|\n| \\{subject\\} | \\$1 &lt;b&gt; |"
    )


def test_other_tables_are_no_predictions():
    assert not shown.is_prediction([["asked", "what came"], ["x", "1"]])
    assert shown.predictions(nbformat.v4.new_notebook()) == []
