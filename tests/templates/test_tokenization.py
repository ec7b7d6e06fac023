"""Tokenising rules, against the oracle: a template without virtual tokens is text."""

import copy
import pickle

import pytest
import torch
from small_models import causal_lm, masked_lm

import ptlearn as pt
from ptlearn.errors import DataError, TemplateError
from ptlearn.templates.batching import embed, pad
from ptlearn.templates.language import Template
from ptlearn.templates.tokenization import TemplateTokens

ROW = {"subject": "Osaka", "answer": "Japan"}


@pytest.fixture(scope="module")
def lm():
    return pt.load_lm("tiny")


def ids_of(lm, text, row=ROW):
    return list(TemplateTokens(lm, Template(text)).encode(row).ids)


def tokens(lm, text):
    return lm.tokenizer(text)["input_ids"]


@pytest.mark.parametrize(
    ("template", "before", "answer"),
    [
        ("{subject} is in {answer}", "Osaka is in", " Japan"),
        ("{subject} is in\n{answer}", "Osaka is in", "\nJapan"),
        ('"{subject}"{answer}', '"Osaka"', "Japan"),
        ("{subject}{answer}", "Osaka", "Japan"),
        ("  {subject}  {answer}", "  Osaka", "  Japan"),
    ],
)
def test_plain_template_is_prefix_ids_and_answer_ids(lm, template, before, answer):
    example = TemplateTokens(lm, Template(template)).encode(ROW)
    prompt, target = tokens(lm, before), tokens(lm, answer)
    assert example.ids == tuple(prompt + target[:-1])
    assert example.targets == tuple(target)
    assert example.first_target == len(prompt) - 1


def test_white_space_around_virtual_tokens(lm):
    wanted = [-1, *tokens(lm, " Osaka"), -2, -3]
    assert ids_of(lm, "[V] {subject} [V:2] {answer}") == wanted
    assert ids_of(lm, "[V] {subject}[V:2] {answer}") == wanted
    assert ids_of(lm, "[V] {subject} \n [V:2] {answer}") == wanted
    assert ids_of(lm, "[V] [V:2] {answer}") == [-1, -2, -3]
    assert ids_of(lm, "[V]{subject} [V:2] {answer}") == [
        -1,
        *tokens(lm, "Osaka"),
        -2,
        -3,
    ]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ('{subject} [V:"is located in"] {answer}', "{subject} is located in {answer}"),
        (
            '[V:"The city"] {subject} is in {answer}',
            "The city {subject} is in {answer}",
        ),
        ('{subject}[V:", in"] {answer}', "{subject}, in {answer}"),
        ('A {subject} [V:"lies"] [V:"in"] {answer}', "A {subject} lies in {answer}"),
    ],
)
def test_oracle_untrained_words_give_the_plain_words_logits(template, words):
    lm = causal_lm("llama, grouped-query, tied")
    tuner = pt.PromptTuner(lm, template)
    prompt = pt.Prompt(lm, words)
    rows = [ROW, {"subject": "Port Moresby", "answer": "Papua New Guinea"}]
    examples = [tuner.tokens.encode(row) for row in rows]
    found = tuner(examples)
    slots = tuner.tokens.word_slots
    plain = [prompt.tokens.encode(row) for row in rows]
    for example, one in zip(examples, plain, strict=True):
        assert tuple(slots[-i - 1] if i < 0 else i for i in example.ids) == one.ids
    for row, example, log_prob in zip(rows, plain, found, strict=True):
        ids = torch.tensor([example.ids])
        logits = lm.model(ids).logits[0, example.first_target :].log_softmax(-1)
        wanted = logits[range(len(example.targets)), example.targets].sum()
        assert abs(log_prob - wanted) < 1e-9, row


def test_shared_start(lm):
    def shared(text):
        return TemplateTokens(lm, Template(text)).shared_ids

    assert shared("[V:2] {subject} {answer}") == [-1, -2]
    city = tokens(lm, "In")
    assert shared("In [V:2] the {subject} {answer}") == [*city, -1, -2]
    assert shared("In the {subject} [V] {answer}") == []
    assert shared("[V:3] {answer}") == [-1, -2]


def test_special_tokens_stand_once_and_outermost():
    lm = masked_lm("bert")
    found = ids_of(lm, "[V:2] {answer} is [V] {subject} .")
    cls, sep, mask = 2, 3, lm.tokenizer.mask_token_id
    words = lm.tokenizer("is", add_special_tokens=False)["input_ids"]
    city = lm.tokenizer("Osaka .", add_special_tokens=False)["input_ids"]
    assert found == [cls, -1, -2, mask, *words, -3, *city, sep]


def test_masked_answer_has_one_mask_a_token():
    lm = masked_lm("bert")
    row = {"subject": "Port Moresby", "answer": "Papua New Guinea"}
    example = TemplateTokens(lm, Template("{subject} is in {answer} .")).encode(row)
    masks = [i for i, t in enumerate(example.ids) if t == lm.tokenizer.mask_token_id]
    first = example.first_target
    assert masks == [first, first + 1, first + 2]
    assert lm.tokenizer.convert_ids_to_tokens(list(example.targets)) == [
        "Papua",
        "New",
        "Guinea",
    ]


def test_words_count_their_tokens(lm):
    found = TemplateTokens(lm, Template('{subject} [V:"is located in"] [V:2] {answer}'))
    assert found.num_virtual_tokens == 5
    assert list(found.word_slots.values()) == tokens(lm, " is located in")


def test_answer_must_come_last_on_a_causal_model(lm):
    with pytest.raises(TemplateError, match="left to right.*must come last"):
        TemplateTokens(lm, Template("{answer} is where {subject} is"))


@pytest.mark.parametrize("template", ["{answer}", "  {answer}"])
def test_something_must_stand_before_the_answer_of_a_causal_model(lm, template):
    with pytest.raises(TemplateError, match="nothing stands before the answer"):
        TemplateTokens(lm, Template(template))
    start = causal_lm("gpt2", "as Llama-2's")
    assert TemplateTokens(start, Template(template)).prompt_ids({})[0] == [
        start.tokenizer.bos_token_id
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"subject": "x"}, "has no answer.*'subject': 'x'"),
        ({"subject": "x", "answer": None}, "has no answer"),
        ({"subject": "x", "answer": float("nan")}, "has no answer"),
        ({"subject": "x", "answer": " "}, "has no answer"),
        ({"answer": "a"}, "needs a column 'subject'.*has: answer"),
        ({"subject": "", "answer": "a"}, "nothing stands before the answer"),
        ({"subject": "x " * 600, "answer": "a"}, "600 tokens long.*at most 512"),
    ],
)
def test_rows_that_cannot_be_encoded(lm, row, message):
    with pytest.raises(DataError, match=message):
        TemplateTokens(lm, Template("{subject}{answer}")).encode(row)


def test_an_answer_given_by_name_must_have_tokens(lm):
    found = TemplateTokens(lm, Template("{subject} is {answer}"))
    with pytest.raises(DataError, match="'' has no tokens"):
        found.encode(ROW, "")


@pytest.mark.parametrize("answer", [0, 7, 1.5, False])
def test_answers_that_are_no_strings_are_written_as_such(lm, answer):
    found = TemplateTokens(lm, Template("{subject} is {answer}"))
    wanted = found.encode(ROW, str(answer))
    assert found.encode(dict(ROW, answer=answer)) == wanted
    assert found.encode(ROW, answer) == wanted
    assert found.answers_by_ids([answer]) == {wanted.targets: str(answer)}


@pytest.mark.parametrize(
    "again", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy]
)
def test_copies_tokenise_alike(lm, again):
    tokens_of = TemplateTokens(lm, Template('{subject} [V:"is in"] [V] {answer}'))
    wanted = tokens_of.encode(ROW)
    copied = again(tokens_of)
    assert copied.encode(ROW) == wanted
    assert copied.word_slots == tokens_of.word_slots


def test_an_answer_that_the_tokenizer_does_not_know():
    tokens = TemplateTokens(masked_lm("bert"), Template("{subject} is {answer}"))
    with pytest.raises(DataError, match="does not know the answer 'Xanadu'"):
        tokens.encode({"subject": "Osaka", "answer": "Xanadu"})


def test_pad_and_embed(lm):
    ids, mask = pad([[5], [6, -2, 7]], "left")
    assert ids.tolist() == [[0, 0, 5], [6, -2, 7]]
    assert mask.tolist() == [[0, 0, 1], [1, 1, 1]]
    assert pad([[5], [6, -2, 7]], "right")[0].tolist() == [[5, 0, 0], [6, -2, 7]]
    table = torch.randn(2, lm.token_dim)
    vectors = embed(lm, ids, table)
    assert vectors.shape == (2, 3, lm.token_dim)
    assert torch.equal(vectors[1, 1], table[1])
    assert torch.equal(vectors[1, 2], lm.embed(torch.tensor(7)))


@pytest.mark.parametrize("text", ["{subject} works as {answer} .", '[V:"he works"]'])
def test_words_that_a_small_vocabulary_lacks_are_warned_of(text):
    text = text if "{answer}" in text else text + " {answer} ."
    with pytest.warns(UserWarning, match="does not know every word of .*works"):
        TemplateTokens(masked_lm("bert"), Template(text))


@pytest.mark.filterwarnings("error")
def test_words_that_the_vocabulary_has_are_not_warned_of():
    TemplateTokens(masked_lm("bert"), Template("{subject} is in [V:2] {answer} ."))
    TemplateTokens(pt.load_lm("tiny"), Template("{subject} wörks äs {answer}"))
