"""The template language: every form, every error, and a fuzzer."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ptlearn.errors import DataError, TemplateError
from ptlearn.templates.language import (
    Answer,
    Field,
    Template,
    Text,
    Virtual,
    VirtualWords,
    render,
)


def test_papers_gpt_template_parses():
    template = Template("[V:3] {subject} [V:3] {answer}")
    assert template.pieces == (
        Virtual(3),
        Text(" "),
        Field("subject"),
        Text(" "),
        Virtual(3),
        Text(" "),
        Answer(),
    )
    assert template.fields == ("subject",)
    assert template.has_virtual_tokens


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("[V]{answer}", Virtual(1)),
        ("[V:1]{answer}", Virtual(1)),
        ("[V:007]{answer}", Virtual(7)),
        ('[V:"is in"]{answer}', VirtualWords("is in")),
        ('[V:"say \\"hi\\" ]"]{answer}', VirtualWords('say "hi" ]')),
        ('[V:"back\\\\slash"]{answer}', VirtualWords("back\\slash")),
        ("[[V]] {{x}}{answer}", Text("[V] {x}")),
        ("{two words}{answer}", Field("two words")),
        ("a\nb{answer}", Text("a\nb")),
    ],
)
def test_each_form(text, first):
    assert Template(text).pieces == (first, Answer())


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("", "{answer} is missing", 0),
        ("a \ud83d {answer}", "half of a character", 2),
        ("The capital", "{answer} is missing", 11),
        ("{answer} or {answer}", "a second time", 12),
        ("a ] {answer}", "closes nothing", 2),
        ("a } {answer}", "closes nothing", 2),
        ("{subject {answer}", "a column's name and }", 0),
        ("{} {answer}", "a column's name in braces", 0),
        ("{ subject } {answer}", "a column's name in braces", 0),
        ("[V:0] {answer}", "from 1 to 1000", 0),
        ("[V:1001] {answer}", "from 1 to 1000", 0),
        ("[V:" + "9" * 5000 + "] {answer}", "from 1 to 1000", 0),
        ("[V:-1] {answer}", "expected [V], [V:3]", 0),
        ("[v:3] {answer}", "expected [V], [V:3]", 0),
        ("x [V:3 {answer}", "expected [V], [V:3]", 2),
        ('[V:"is in {answer}', "never closed", 0),
        ('[V:"is in\\"] {answer}', "never closed", 0),
        ('[V:"is in" {answer}', "a ] must follow", 0),
        ('[V:""] {answer}', "no words between", 0),
        ('[V:"  "] {answer}', "no words between", 0),
    ],
)
def test_errors_point_at_the_place(text, message, column):
    with pytest.raises(TemplateError) as caught:
        Template(text)
    reason, line, caret = str(caught.value).split("\n")
    assert message in reason
    # Half of a character cannot be printed.
    assert line == "    " + text.replace("\ud83d", "\N{REPLACEMENT CHARACTER}")
    assert caret == "    " + " " * column + "^"


def test_the_caret_stands_in_the_right_line():
    with pytest.raises(TemplateError) as caught:
        Template("first\nsecond ]\n{answer}")
    assert str(caught.value).endswith("    second ]\n           ^")


def test_not_a_string():
    with pytest.raises(TemplateError, match="not int"):
        Template(3)


def test_fill_joins_text_and_values_and_never_parses_them():
    template = Template("In {city}, [V:2] {answer}")
    filled = template.fill({"city": "[V:9] {answer}"})
    assert filled == (Text("In [V:9] {answer}, "), Virtual(2), Text(" "), Answer())


def test_fill_names_the_columns_there_are():
    with pytest.raises(DataError, match="needs a column 'city'.*subject, answer"):
        Template("{city} {answer}").fill({"subject": "Osaka", "answer": "Japan"})


@given(st.text(alphabet=st.sampled_from('[]{}V:0123"\\ answer\nx'), max_size=40))
@example("[V:٣]{answer}")
def test_any_string_round_trips_or_raises_template_error(text):
    try:
        template = Template(text)
    except TemplateError:
        return
    assert Template(render(template.pieces)).pieces == template.pieces


PIECES = st.one_of(
    st.text(min_size=1).map(Text),
    st.text(alphabet="abc_ 1", min_size=1)
    .filter(lambda s: s == s.strip() and s != "answer")
    .map(Field),
    st.integers(1, 1000).map(Virtual),
    st.text(min_size=1).filter(str.strip).map(VirtualWords),
)


@given(st.lists(PIECES), st.lists(PIECES))
def test_any_pieces_survive_rendering(before, after):
    text = render([*before, Answer(), *after])
    pieces = Template(text).pieces
    assert Template(render(pieces)).pieces == pieces
    assert render(pieces) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (math.nan, ""),
        (pd.NA, ""),
        (3.0, "3"),
        (np.int64(7), "7"),
        (0.5, "0.5"),
    ],
)
def test_a_cell_is_filled_in_as_the_text_that_a_task_has(value, text):
    filled = Template("In {city}: {answer}").fill({"city": value})
    assert filled == (Text(f"In {text}: "), Answer())


@pytest.mark.parametrize(
    "value", [["Osaka"], {"a": 1}, b"Osaka", np.zeros(2), "\ud83d"]
)
def test_a_cell_that_is_no_text_is_refused(value):
    with pytest.raises(
        DataError, match="column 'city' holds .* neither text nor a num"
    ):
        Template("{city} {answer}").fill({"city": value})
