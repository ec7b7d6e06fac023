"""Rows counted as the model reads them, and texts cut to a budget."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import ptlearn as pt
from ptlearn.errors import DataError
from ptlearn.templates import shorten, token_lengths

TEXT = "The quick brown fox jumps over the unbelievably lazy dog, twice."


@pytest.fixture(scope="module")
def lm():
    return pt.load_lm("tiny")


def test_a_row_counts_as_the_model_reads_it(lm):
    rows = [{"text": TEXT}, {"text": "so"}]
    template = "{text}\nIt is: [V:3] {answer}"
    tokens = pt.Prompt(lm, "{text}\nIt is: {answer}").tokens
    wanted = [len(tokens.encode(row, "good").ids) + 3 for row in rows]
    assert token_lengths(lm, template, rows) == wanted
    longer = "not so good after all"
    more = len(tokens.answer_ids(longer)) - 1
    found = token_lengths(lm, template, rows, ["good", longer])
    assert found == [n + more for n in wanted]


def test_nothing_is_too_long_to_be_counted(lm):
    (length,) = token_lengths(lm, "{text} {answer}", [{"text": "long " * 600}])
    assert length > lm.context_window


@pytest.mark.parametrize("keep", ["start", "end"])
@pytest.mark.parametrize("most", [1, 4, 9, 100])
def test_a_text_is_cut_to_the_budget(lm, keep, most):
    cut = shorten(lm, TEXT, most, keep=keep)
    assert TEXT.startswith(cut) if keep == "start" else TEXT.endswith(cut)
    length = len(lm.tokenizer(cut, add_special_tokens=False)["input_ids"])
    assert 1 <= length <= most
    assert (cut == TEXT) == (most == 100)


RARE = st.sampled_from(["龘", "🫠", "e\u0301", "İ", " ", "\n", "word", "a"])


@pytest.mark.timeout(120)  # a cut that changes nothing would go on for ever
@settings(max_examples=30, deadline=None)
@given(st.lists(RARE | st.characters(codec="utf-8")), st.integers(1, 8))
@example(["fine", " ", "words", " ", "龘"], 3)
@example(["🫠", " ", "a"], 2)
def test_any_text_is_cut_between_its_characters(lm, parts, most):
    text = "".join(parts)
    start, end = (shorten(lm, text, most, keep=keep) for keep in ("start", "end"))
    assert text.startswith(start) and text.endswith(end)
    for cut in (start, end):
        assert len(lm.tokenizer(cut, add_special_tokens=False)["input_ids"]) <= most


def test_a_character_of_several_tokens_goes_as_a_whole(lm):
    assert len(lm.tokenizer(" 龘", add_special_tokens=False)["input_ids"]) > 2
    assert shorten(lm, "fine words 龘", 3) == "fine words"
    assert shorten(lm, "龘 fine words", 3, keep="end") == "fine words"


def test_what_is_no_budget_is_refused(lm):
    with pytest.raises(DataError, match="1 or more, not 0"):
        shorten(lm, TEXT, 0)
    with pytest.raises(DataError, match="middle"):
        shorten(lm, TEXT, 3, keep="middle")
