"""Demonstrations: the text that is read, what is drawn, and the baseline's table."""

import math
from collections import Counter

import pandas as pd
import pytest
import torch
from small_models import MARKED, causal_lm, masked_lm

import ptlearn as pt
from ptlearn.errors import DataError, TemplateError
from ptlearn.evaluation import draw_demonstrations, in_context, with_demonstrations
from ptlearn.forward.plan import ForwardPlan
from ptlearn.forward.scoring import answer_logits, score
from ptlearn.templates.language import Answer, Field, Text

WORDING = "City: {subject}\nCountry: {answer}"
SHOWN = [
    {"subject": "Lagos", "answer": "Nigeria"},
    {"subject": "Port Moresby", "answer": "Papua New Guinea"},
    {"subject": "Rio", "answer": "Brazil"},
]
BY_HAND = (
    "City: Lagos\nCountry: Nigeria\n\n"
    "City: Port Moresby\nCountry: Papua New Guinea\n\n"
    "City: Rio\nCountry: Brazil\n\n"
    "City: {subject}\nCountry: {answer}"
)
ROWS = [
    {"subject": "Osaka", "answer": "Japan"},
    {"subject": "'s-Hertogenbosch", "answer": "Papua New Guinea"},
    {"subject": "1770", "answer": "Brazil"},
]


@pytest.fixture(scope="module")
def lm():
    return causal_lm("llama, grouped-query, tied")


@pytest.fixture(scope="module")
def tiny():
    return pt.load_lm("tiny")


def reviews(positive: int, negative: int) -> pt.Task:
    rows = [{"text": f"good {i}", "answer": "positive"} for i in range(positive)]
    rows += [{"text": f"bad {i}", "answer": "negative"} for i in range(negative)]
    return pt.Task.from_rows(rows, test=rows[:4], name="reviews")


def test_demonstrations_are_what_one_writes_by_hand():
    assert with_demonstrations(WORDING, SHOWN) == pt.Template(BY_HAND)
    assert with_demonstrations(pt.Template(WORDING), []) == pt.Template(WORDING)
    one = with_demonstrations("{subject} {answer}", SHOWN[:1], separator=" [V] {x} ")
    assert one == pt.Template("Lagos Nigeria [[V]] {{x}} {subject} {answer}")


def test_what_stands_in_a_row_is_never_parsed():
    row = {"subject": '[V:3] {subject} [V:"x"] ]] {{', "answer": "{answer} ["}
    found = with_demonstrations("In {subject}: {answer}", [row])
    text = f"In {row['subject']}: {row['answer']}\n\nIn "
    assert found.pieces == (Text(text), Field("subject"), Text(": "), Answer())
    assert pt.Template(found.text) == found


def test_they_are_tokenised_as_the_whole_plain_text(lm):
    prompt = pt.Prompt(lm, with_demonstrations(WORDING, SHOWN))
    for row in ROWS:
        plain = BY_HAND.replace("{subject}", row["subject"]).replace(" {answer}", "")
        assert prompt.tokens.prompt_ids(row)[0] == lm.tokenizer(plain)["input_ids"]


def plain_logits(lm, rows):
    """Logits at the answers' tokens of the text written by hand, each row alone."""
    parts = []
    for row in rows:
        text = BY_HAND.replace("{subject}", row["subject"]).replace(" {answer}", "")
        answer = lm.tokenizer(" " + row["answer"])["input_ids"]
        ids = lm.tokenizer(text)["input_ids"] + answer
        parts.append(lm.model(torch.tensor([ids])).logits[0, -len(answer) - 1 : -1])
    return torch.cat(parts)


def test_logits_are_those_of_the_text_written_by_hand(lm):
    prompt = pt.Prompt(lm, with_demonstrations(WORDING, SHOWN))
    wanted = plain_logits(lm, ROWS)
    assert torch.allclose(answer_logits(prompt, ROWS), wanted, rtol=1e-9)
    plan, examples = prompt._plan, [prompt.tokens.encode(row) for row in ROWS]
    prefix = plan.shared_prefix(None, len(ROWS))
    found = plan.logits(None, examples, prefix)
    assert torch.allclose(found, wanted, rtol=1e-9)
    assert not torch.equal(found, answer_logits(prompt, ROWS)), "read another way"


def test_all_rows_share_them_as_one_prefix(lm, monkeypatch):
    prompt = pt.Prompt(lm, with_demonstrations(WORDING, SHOWN))
    shown = lm.tokenizer(BY_HAND.partition("\n\nCity: {")[0])["input_ids"]
    shared = prompt.tokens.shared_ids
    assert shared[: len(shown)] == shown
    for row in ROWS:
        assert prompt.tokens.prompt_ids(row)[0][: len(shared)] == shared
    read, forward = [], ForwardPlan._forward

    def noted(self, table, ids, *others, **options):
        read.append(tuple(ids.shape))
        return forward(self, table, ids, *others, **options)

    monkeypatch.setattr(ForwardPlan, "_forward", noted)
    score(prompt, ROWS, ["Japan"], progress=False)
    assert read[0] == (1, len(shared)), "once for all rows"
    assert read[1][0] == len(ROWS) and read[1][1] < len(shared)


@pytest.mark.parametrize("tokenizer", [None, *MARKED])
@pytest.mark.parametrize("odd", ["", " ", "\n\n", "s", "'s", "é", "::", " :\n"])
def test_a_field_that_joins_the_words_before_it_is_read_whole(tokenizer, odd):
    lm = causal_lm("gpt2", tokenizer)
    template = "the city of a country is good " * 4 + "city:{subject}{answer}"
    rows = [{"subject": odd, "answer": "Japan"}, {"subject": "Rio", "answer": "Brazil"}]
    prompt = pt.Prompt(lm, template)
    plain = ForwardPlan(lm, prompt.template, fast=False)
    examples = [prompt.tokens.encode(row) for row in rows]
    prefix = prompt._plan.shared_prefix(None)
    assert prefix is not None
    found = prompt._plan.logits(None, examples, prefix)
    assert torch.allclose(found, plain.logits(None, examples), rtol=1e-9)


def test_a_row_that_does_not_begin_with_the_prefix_goes_without_it(lm):
    prompt = pt.Prompt(lm, with_demonstrations(WORDING, SHOWN))
    prompt.tokens.shared_ids[-1] += 1  # as if the words had been joined otherwise
    prefix = prompt._plan.shared_prefix(None)
    examples = [prompt.tokens.encode(row) for row in ROWS]
    found = prompt._plan.logits(None, examples, prefix)
    assert torch.allclose(found, plain_logits(lm, ROWS), rtol=1e-9)


def test_few_words_before_a_field_are_read_with_it(lm):
    assert pt.Prompt(lm, WORDING).tokens.shared_ids == []
    short = pt.Template("[V:3] In the city of {subject} [V] {answer}")
    assert pt.PromptTuner(lm, short).tokens.shared_ids == [-1, -2, -3]


def test_a_masked_model_is_shown_them_too():
    lm, template = masked_lm("bert"), "{subject} is in {answer} ."
    prompt = pt.Prompt(lm, with_demonstrations(template, SHOWN[:1], separator=" "))
    ids, place = prompt.tokens.prompt_ids(ROWS[0])
    plain = "Lagos is in Nigeria . Osaka is in [MASK] ."
    assert ids == lm.tokenizer(plain)["input_ids"]
    assert ids[place] == lm.tokenizer.mask_token_id


def test_what_cannot_be_shown_is_refused(tiny):
    with pytest.raises(TemplateError, match="has virtual tokens, .* hand-written"):
        with_demonstrations("[V:3] {subject} {answer}", SHOWN)
    with pytest.raises(DataError, match="row 1 cannot be .*no answer: {'subject': 'x"):
        with_demonstrations(WORDING, [SHOWN[0], {"subject": "x", "answer": math.nan}])
    with pytest.raises(DataError, match="needs a column 'subject'.* has: city, answer"):
        with_demonstrations(WORDING, [{"city": "x", "answer": "y"}])
    middle = with_demonstrations("{subject} is in {answer}.", SHOWN)
    with pytest.raises(TemplateError, match="answer} must come last"):
        pt.Prompt(tiny, middle)


def test_a_prompt_longer_than_the_context_window_is_refused(tiny):
    task = pt.Task.from_rows(SHOWN * 40, test=SHOWN)
    wanted = r"a row is \d+ tokens long; tiny reads at most 512.*fewer .*demonstrations"
    with pytest.raises(DataError, match=wanted):
        in_context(task, tiny, WORDING, shots=[100], progress=False)


def test_few_answers_are_shown_equally_often():
    task = reviews(positive=30, negative=10)
    for k, seed in [(2, 0), (4, 1), (8, 2), (5, 3)]:
        counts = Counter(r["answer"] for r in draw_demonstrations(task, k, seed))
        assert sorted(counts.values()) == [k // 2, k - k // 2]
    counts = Counter(r["answer"] for r in draw_demonstrations(task, 30, 0))
    assert counts == {"positive": 20, "negative": 10}, "as far as there are rows"


def test_a_draw_is_random_by_its_seed_and_in_no_order():
    task = reviews(positive=30, negative=30)
    draws = [draw_demonstrations(task, 4, seed) for seed in range(20)]
    assert draws[3] == draw_demonstrations(task, 4, 3)
    assert len({str(draw) for draw in draws}) == 20
    orders = {tuple(row["answer"] for row in draw) for draw in draws}
    assert len(orders) > 3, "of the six that there are"
    assert all(len({row["text"] for row in draw}) == 4 for draw in draws)
    assert draw_demonstrations(task, 0, 0) == []


def test_many_answers_are_drawn_as_they_come():
    rows = [{"subject": str(i), "answer": "a"} for i in range(97)]
    rows += [{"subject": x, "answer": x} for x in "bcd"]
    drawn = draw_demonstrations(pt.Task.from_rows(rows), 3, 0)
    assert {row["answer"] for row in drawn} == {"a"}


@pytest.mark.parametrize("k", [-1, 5])
def test_more_rows_than_there_are_cannot_be_drawn(k):
    with pytest.raises(DataError, match=f"{k} demon.* the 4 training rows of reviews"):
        draw_demonstrations(reviews(2, 2), k, 0)


def test_in_context_has_a_line_for_each_draw(tiny):
    task = reviews(positive=6, negative=6)
    wording = "Review: {text}\nIt is {answer}"
    frame = in_context(task, tiny, wording, shots=(0, 2), draws=3, progress=False)
    assert frame["shots"].tolist() == [0, 2, 2, 2]
    assert frame["draw"].tolist() == [0, 0, 1, 2]
    assert frame.columns.tolist() == ["shots", "draw", "p_at_1", "accuracy", "n"]
    assert (frame["n"] == 4).all()
    shown = draw_demonstrations(task, 2, 1)
    prompt = pt.Prompt(tiny, with_demonstrations(wording, shown))
    report = pt.evaluate(prompt, task, progress=False)
    wanted = {"shots": 2, "draw": 1, "p_at_1": report.p_at_1}
    wanted |= {"accuracy": report.accuracy, "n": 4}
    pd.testing.assert_series_equal(frame.loc[2], pd.Series(wanted, name=2))


def test_in_context_without_a_draw_is_refused(tiny):
    with pytest.raises(DataError, match="draws must be 1 or more, not 0"):
        in_context(reviews(2, 2), tiny, "{text} {answer}", draws=0)
