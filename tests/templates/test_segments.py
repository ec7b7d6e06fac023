"""A segment has the ids it has in the whole text, under every kind of tokenizer."""

import copy
import pickle

import pytest
import torch
from small_models import MARKED, causal_lm, masked_lm
from transformers import PreTrainedTokenizer

import ptlearn as pt
from ptlearn.errors import DataError, ModelError
from ptlearn.templates import segments
from ptlearn.templates.segments import SegmentTokenizer

ROWS = [
    {"subject": "Osaka", "answer": "Japan"},
    {"subject": "Port Moresby", "answer": "Papua New Guinea"},
    {"subject": "Xanadu", "answer": "New Guinea"},
]
WORDS = {
    '{subject} [V:"is located in"] {answer}': "{subject} is located in {answer}",
    '[V:"capital of"] {subject} is {answer}': "capital of {subject} is {answer}",
    '{subject}[V:", in"] {answer}': "{subject}, in {answer}",
    'a {subject} [V:"is"] [V:"in"] {answer}': "a {subject} is in {answer}",
    '{subject}: [V:"located in"]: {answer}': "{subject}: located in: {answer}",
}
everywhere = pytest.mark.parametrize("kind", MARKED)


def marked_lm(kind):
    return causal_lm("llama, grouped-query, tied", kind)


def tokens_of(lm, template):
    return pt.templates.TemplateTokens(lm, pt.Template(template))


def ids_of(lm, text):
    return tuple(lm.tokenizer(text, add_special_tokens=False)["input_ids"])


def whole_ids(lm, text):
    return tuple(lm.tokenizer(text)["input_ids"])


@everywhere
def test_prefix_ids_and_answer_ids_are_those_of_the_whole_text(kind):
    lm = marked_lm(kind)
    tokens = tokens_of(lm, "{subject} is in {answer}")
    end = (lm.tokenizer.sep_token_id,) if lm.tokenizer.sep_token else ()
    for row in ROWS:
        example = tokens.encode(row)
        text = f"{row['subject']} is in {row['answer']}"
        assert (*example.ids, example.targets[-1], *end) == whole_ids(lm, text)
        prefix = example.ids[: example.first_target + 1]
        assert (*prefix, *end) == whole_ids(lm, f"{row['subject']} is in")


@everywhere
@pytest.mark.parametrize("template", WORDS)
def test_oracle_words_as_virtual_tokens_are_the_plain_words(kind, template):
    lm = marked_lm(kind)
    tuner, prompt = pt.PromptTuner(lm, template), pt.Prompt(lm, WORDS[template])
    slots = tuner.tokens.word_slots
    for row in ROWS:
        found, wanted = tuner.tokens.encode(row), prompt.tokens.encode(row)
        assert tuple(slots[-i - 1] if i < 0 else i for i in found.ids) == wanted.ids
        assert found.targets == wanted.targets
    difference = tuner.answer_log_probs(ROWS) - prompt.answer_log_probs(ROWS)
    assert difference.abs().max() < 1e-6, "answer_log_probs are float32"


@everywhere
@pytest.mark.parametrize("text", [" Osaka", ", in", " the very film .", " Xanadu"])
def test_text_after_virtual_tokens_is_as_in_the_middle_of_a_text(kind, text):
    lm = marked_lm(kind)
    field = "{text}" if text[0] != " " else " {text}"
    found, _ = tokens_of(lm, f"[V]{field} [V:2] {{answer}}").prompt_ids(
        {"text": text.strip()}
    )
    before = found[: found.index(-1)]
    assert before == [i for i in before if i in lm.tokenizer.all_special_ids]
    middle = ids_of(lm, "a" + text)[len(ids_of(lm, "a")) :]
    assert found == [*before, -1, *middle, -2, -3]


def test_a_word_that_goes_on_has_no_mark():
    lm = marked_lm("as Llama-2's")
    tokens = tokens_of(lm, "[V]{subject} [V]{answer}")
    example = tokens.encode({"subject": "Osaka", "answer": "Japan"})
    name = lm.tokenizer.convert_ids_to_tokens
    assert [name(i) if i >= 0 else i for i in example.ids] == ["<s>", -1, "Osaka", -2]
    assert name(list(example.targets)) == ["Japan"]


def test_masked_model_whose_tokenizer_marks_words():
    fast = MARKED["as ALBERT's"]()
    lm = pt.LanguageModel(masked_lm("bert").model, fast, "masked", "albert")
    row = {"subject": "Osaka", "answer": "New Guinea"}
    last = tokens_of(lm, "{subject} is in {answer} .").encode(row)
    masked = whole_ids(lm, "Osaka is in [MASK] [MASK] .")
    assert last.ids == masked
    assert lm.tokenizer.convert_ids_to_tokens(list(last.targets)) == [
        "▁new",
        "▁guinea",
    ]
    first = tokens_of(lm, "{answer} is [V] .").encode(row)
    assert first.targets == last.targets, "at a text's start the mark is its own"


@everywhere
def test_initial_words_have_no_mark_of_their_own(kind):
    lm = marked_lm(kind)
    tuner = pt.PromptTuner(lm, "[V:3] {subject} {answer}", init="words: capital of a")
    ids = ids_of(lm, "a capital of a")[len(ids_of(lm, "a")) :]
    words = lm.embed(torch.tensor(ids[:3]))
    assert torch.equal(tuner.prompt_embeddings(), words)


def test_answers_with_the_same_ids_are_refused_with_both_names():
    prompt = pt.Prompt(marked_lm("as ALBERT's"), "{subject} is in {answer}")
    with pytest.raises(DataError, match="'Japan' and 'JAPAN' have the same token ids"):
        prompt.predict(ROWS, ["Japan", "Brazil", "JAPAN"])
    assert len(prompt.tokens.answers_by_ids(["Japan", "Brazil", "Japan"])) == 2


def test_a_text_of_unknown_letters_is_cut_as_well():
    """They melt into one unknown token with an anchor that is unknown too."""
    lm = marked_lm("metaspace first, BPE")
    cut = SegmentTokenizer(lm)
    unknown = lm.tokenizer.unk_token_id
    assert cut("東京") == (unknown,)
    assert cut("東京", at_start=True) == ids_of(lm, "東京")


def test_byte_level_segments_are_encoded_alone():
    lm = pt.load_lm("tiny")
    cut = SegmentTokenizer(lm)
    for text in (" Osaka", "Osaka", ", in", "\nso", "ing", "東京", "  two", ""):
        assert cut(text) == cut(text, at_start=True) == ids_of(lm, text)


class WithoutOffsets(PreTrainedTokenizer):
    """A tokenizer in Python, which cannot say where its tokens stand."""

    def __init__(self):
        super().__init__(unk_token="?")

    @property
    def vocab_size(self):
        return 1000

    def get_vocab(self):
        return {}

    def _tokenize(self, text, **_):
        return list("▁" + text.replace(" ", "▁"))

    def _convert_token_to_id(self, token):
        return ord(token) % 997

    def _convert_id_to_token(self, index):
        return chr(index)


def test_a_tokenizer_that_cannot_be_cut_is_refused_by_name():
    model = causal_lm("llama, grouped-query, tied").model
    lm = pt.LanguageModel(model, WithoutOffsets(), "causal", "my-model")
    with pytest.raises(ModelError, match="tokenizer of my-model .WithoutOffsets."):
        pt.Prompt(lm, "{subject} is in {answer}")


def test_the_cache_is_bounded_and_not_part_of_a_copy(monkeypatch):
    monkeypatch.setattr(segments, "MAX_CACHED", 10)
    cut = SegmentTokenizer(marked_lm("as Llama-2's"))
    wanted = [cut(f" Osaka {i}") for i in range(25)]
    assert [cut(f" Osaka {i}") for i in range(25)] == wanted
    small = len(pickle.dumps(cut))
    for i in range(9):
        cut(" Rio" * 200 * (i + 1))
    assert len(pickle.dumps(cut)) == small
    assert copy.deepcopy(cut)(" Osaka 3") == wanted[3]


def test_the_cache_is_bounded_by_the_length_of_its_texts(monkeypatch):
    monkeypatch.setattr(segments, "MAX_CHARACTERS", 1_000)
    cut = SegmentTokenizer(marked_lm("as Llama-2's"))
    for i in range(25):
        assert cut(" Osaka" * 30 + f" {i}")
        assert sum(len(text) for text, _ in cut._cached) <= 1_000
    assert len(cut._cached) > 1
    assert copy.deepcopy(cut)._characters == 0


@pytest.mark.parametrize("at_start", [True, False])
def test_long_texts_are_not_kept(at_start):
    cut = SegmentTokenizer(marked_lm("as Llama-2's"))
    text = " Osaka" * (segments.LONGEST_CACHED // len(" Osaka"))
    for i in range(5):
        assert len(cut(f"{text} is in Japan {i}", at_start=at_start)) > 300
    assert not cut._cached
    assert cut(text, at_start=at_start) and len(cut._cached) == 1


@pytest.mark.parametrize("kind", ["as Llama-2's", "metaspace always, unigram"])
def test_gradients_and_predictions_run_under_such_a_tokenizer(kind):
    tuner = pt.PromptTuner(marked_lm(kind), "[V:2] {subject} [V:2] {answer}")
    tuner([tuner.tokens.encode(row) for row in ROWS]).sum().backward()
    assert tuner.encoder.embedding.grad.abs().sum(1).min() > 0
    answers = [row["answer"] for row in ROWS]
    brute = torch.stack(
        [tuner.answer_log_probs([dict(r, answer=a) for r in ROWS]) for a in answers]
    )
    wanted = [answers[i] for i in brute.argmax(0)]
    assert tuner.fold().predict(ROWS, answers) == wanted
