"""The three-part plan gives the plain forward's numbers, on every kind of template."""

import copy
import threading
import time
from itertools import product

import pytest
import torch
from small_models import CAUSAL, MASKED, MORE, causal_lm, masked_lm
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

import ptlearn as pt
from ptlearn.forward.kv_cache import ContextCache, frozen_context
from ptlearn.forward.plan import PREFIX_COSTS, ForwardPlan
from ptlearn.forward.scoring import sum_targets
from ptlearn.forward.split_attention import NAME, split_attention, splitting
from ptlearn.prompts.tuner import PromptTuner

ROWS = [
    {"subject": "Osaka", "text": "A very good film.", "answer": "Japan"},
    {"subject": "Port Moresby", "text": "Bad", "answer": "Papua New Guinea"},
    {"subject": "Rio", "text": "It was a film, and it was long.", "answer": "Brazil"},
]
TEMPLATES = {
    "virtual first": "[V:4] {subject} is in {answer}",
    "virtual last": "{subject} is in [V:2]{answer}",
    "virtual between": "City: {subject} [V:3] {answer}",
    "both sides, as the paper's": "[V:3] {subject} [V:3] {answer}",
    "context first": "{text} [V:3] {answer}",
    "long prefix": "[V:9] {subject} [V] {answer}",
    "several fields": "{subject}: {text} [V:2] {subject} [V] {answer}",
    "words before virtual": "The city of [V:2] {subject} [V:2] {answer}",
    "one virtual token": "{subject} [V] {answer}",
    "no field at all": "[V:3] {answer}",
    "word start": '{subject} [V:"is located in"] {answer}',
}
SOME = ["both sides, as the paper's", "context first", "word start"]
PAIRS = [*product(CAUSAL, TEMPLATES), *product(MORE, SOME)]
MASKED_TEMPLATES = {
    "as the paper's": "[V:3] {answer} [V:3] {subject} [V:3] .",
    "virtual last": "{subject} is in {answer} [V:2]",
    "answer first": "{answer} is [V] {subject}",
    "context first": "{text} it was [V:2] {answer} .",
}


def contexts(tuner: PromptTuner, rows=ROWS) -> ContextCache:
    """A cache for the rows' contexts, none of them read yet."""
    return ContextCache(tuner.tokens.encode(row).ids for row in rows)


def gradient(tuner: PromptTuner, plan: ForwardPlan, context_cache=None):
    """Log-probabilities and the table's gradient under a plan.

    The shared prefix is read apart however few the rows are.
    """
    tuner.zero_grad()
    table = tuner.prompt_embeddings()
    examples = [plan.tokens.encode(row) for row in ROWS]
    prefix = plan.shared_prefix(table)
    logits = plan.logits(table, examples, prefix, context_cache)
    log_probs = sum_targets(logits, examples)
    log_probs.sum().backward()
    return log_probs.detach(), tuner.encoder.embedding.grad.clone()


def without_split_attention(lm: pt.LanguageModel) -> pt.LanguageModel:
    """The same weights and attention, by a name that is not known to be split."""
    AttentionInterface.register("another", sdpa_attention_forward)
    AttentionMaskInterface.register("another", sdpa_mask)
    model = copy.deepcopy(lm.model)
    model.set_attn_implementation("another")
    return pt.LanguageModel(model, lm.tokenizer, lm.kind, lm.name)


def assert_same(found, wanted, tolerance=1e-9):
    for a, b in zip(found, wanted, strict=True):
        assert torch.linalg.norm(a - b) <= tolerance * torch.linalg.norm(b)


@pytest.mark.parametrize(("architecture", "name"), PAIRS)
def test_fast_equals_plain(architecture, name):
    lm, template = causal_lm(architecture), TEMPLATES[name]
    tuner = PromptTuner(lm, template)
    plain = ForwardPlan(lm, tuner.template, fast=False, padding_side="right")
    plain = gradient(tuner, plain)
    assert plain[1].abs().sum(1).min() > 0, "each virtual token gets a gradient"
    fast = ForwardPlan(lm, tuner.template)
    assert fast.fast
    kept = contexts(tuner)
    assert_same(gradient(tuner, fast), plain)
    assert_same(gradient(tuner, fast, kept), plain)
    assert_same(gradient(tuner, fast, kept), plain)  # now from the cache
    right = ForwardPlan(lm, tuner.template, padding_side="right")
    assert_same(gradient(tuner, right, kept), plain)
    left = ForwardPlan(lm, tuner.template, fast=False, padding_side="left")
    assert_same(gradient(tuner, left), plain)
    if template == TEMPLATES["context first"]:
        assert kept.groups_read == 1 and kept.bytes > 0


@pytest.mark.parametrize("architecture", CAUSAL)
@pytest.mark.parametrize("template", ["context first", "both sides, as the paper's"])
def test_a_model_that_joins_cached_and_live_keys_gives_the_same(architecture, template):
    lm = causal_lm(architecture)
    tuner = PromptTuner(lm, TEMPLATES[template])
    plain = gradient(tuner, ForwardPlan(lm, tuner.template, fast=False))
    joined = ForwardPlan(without_split_attention(lm), tuner.template)
    assert joined.fast
    assert_same(gradient(tuner, joined, contexts(tuner)), plain)


@pytest.mark.parametrize("architecture", CAUSAL)
def test_every_architecture_here_attends_to_its_cache_unjoined(architecture):
    lm, called = causal_lm(architecture), []
    tuner = PromptTuner(lm, TEMPLATES["context first"])

    def counted(module, query, key, *args, **options):
        called.append(hasattr(key, "cached"))
        return split_attention(module, query, key, *args, **options)

    before = lm.model.config._attn_implementation
    AttentionInterface.register(NAME, counted)
    try:
        gradient(tuner, ForwardPlan(lm, tuner.template), contexts(tuner))
    finally:
        AttentionInterface.register(NAME, split_attention)
    assert called and all(called)
    assert lm.model.config._attn_implementation == before, "the model is left as it was"


@pytest.mark.parametrize("architecture", MASKED)
@pytest.mark.parametrize("template", MASKED_TEMPLATES.values(), ids=MASKED_TEMPLATES)
def test_masked_models_take_the_plain_forward_on_any_side(architecture, template):
    lm = masked_lm(architecture)
    tuner = PromptTuner(lm, template)
    right = ForwardPlan(lm, tuner.template, padding_side="right")
    assert not right.fast
    plain = gradient(tuner, right)
    left = gradient(tuner, ForwardPlan(lm, tuner.template, padding_side="left"))
    assert_same(left, plain)
    assert plain[1].abs().sum(1).min() > 0


def test_a_cache_of_another_kind_falls_back_and_says_so_once():
    lm = causal_lm("mistral, sliding window")
    with pytest.warns(UserWarning, match="plain, slower forward") as warned:
        tuner = PromptTuner(lm, "{text} [V:3] {answer}")
        again = ForwardPlan(lm, tuner.template)
    assert len(warned) == 1
    assert not again.fast
    plain = gradient(tuner, ForwardPlan(lm, tuner.template, fast=False))
    assert_same(gradient(tuner, again, contexts(tuner)), plain)


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
@pytest.mark.embedded
def test_embedded_model_within_float32_tolerance(template, embedded_lm):
    tuner = PromptTuner(embedded_lm, template, seed=1)
    plain = gradient(tuner, ForwardPlan(embedded_lm, tuner.template, fast=False))
    fast = gradient(tuner, ForwardPlan(embedded_lm, tuner.template), contexts(tuner))
    assert (fast[0] - plain[0]).abs().max() <= 1e-4
    assert torch.linalg.norm(fast[1] - plain[1]) <= 1e-3 * torch.linalg.norm(plain[1])


def test_the_bits_of_a_context_depend_on_neither_order_nor_batch_mates():
    """No order of visits changes them, and no group is read twice."""
    lm = pt.load_lm("tiny", device="cpu")
    tuner = PromptTuner(lm, "{text} [V:3] {answer}")
    texts = ["long film " * n + word for n in (1, 2, 7) for word in "abcdefghijk"]
    rows = [{"text": text, "answer": "Japan"} for text in texts]
    sequences = [tuner.tokens.encode(row).ids for row in rows]
    ids = [frozen_context(sequence) for sequence in sequences]

    def bits(order):
        cache = ContextCache(reversed(sequences))
        states = {i: cache.get(ids[i], tuner._plan._read_group) for i in order}
        assert cache.groups_read == -(-len(ids) // ContextCache.GROUP)
        assert cache.bytes == sum(one.nbytes for one in states.values())
        return states

    wanted = bits(range(len(ids)))
    generator = torch.Generator().manual_seed(0)
    for order in (reversed(range(len(ids))), torch.randperm(33, generator=generator)):
        found = bits([int(i) for i in order])
        assert all(torch.equal(found[i], wanted[i]) for i in wanted)
    size = tuner._plan.bytes_per_token()
    assert {i: one.nbytes / size for i, one in wanted.items()} == {
        i: len(one) for i, one in enumerate(ids)
    }


def test_a_plan_that_keeps_no_contexts_needs_no_bytes():
    lm = pt.load_lm("tiny", device="cpu")
    assert PromptTuner(lm, "{text} [V] {answer}")._plan.bytes_per_token() > 0
    assert PromptTuner(lm, "[V] {text} {answer}")._plan.bytes_per_token() == 0
    plain = ForwardPlan(lm, pt.Template("{text} [V] {answer}"), fast=False)
    assert plain.bytes_per_token() == 0


def test_a_shared_prefix_is_read_apart_only_where_enough_rows_share_it():
    lm, length = pt.load_lm("tiny"), PREFIX_COSTS // 4
    tuner = PromptTuner(lm, f"[V:{length}] {{subject}} {{answer}}")
    table, plan = tuner.prompt_embeddings(), ForwardPlan(lm, tuner.template)
    assert plan.shared_prefix(table, 4) is None, "three rows save too little"
    assert plan.shared_prefix(table, 5).mask.shape == (1, length)
    assert plan.shared_prefix(table).mask.shape == (1, length), "a data set shares it"


@pytest.mark.parametrize("empty", ["", " ", "\u00a0"])
def test_an_empty_field_after_the_prefix_leaves_its_last_place_to_be_read(empty):
    lm = causal_lm("gpt2")
    rows = [{"subject": empty, "answer": "New Guinea"}, *ROWS * 8]
    tuner = PromptTuner(lm, "[V:3] {subject} {answer}", seed=1)
    prompt = tuner.fold()
    alone = prompt.answer_log_probs(rows[:1])
    assert torch.allclose(prompt.answer_log_probs(rows)[:1], alone, atol=1e-4)
    examples = [tuner.tokens.encode(row) for row in rows]
    assert torch.allclose(tuner(examples)[:1].float(), alone, atol=1e-4)


def test_two_threads_do_not_take_the_attention_from_each_other():
    lm, order, inside = causal_lm("gpt2"), [], threading.Event()

    def use(name, wait):
        with splitting(lm.model):
            order.append(f"{name} in")
            inside.set()
            time.sleep(wait)
            order.append(f"{name} out")

    before = lm.model.config._attn_implementation
    first = threading.Thread(target=use, args=("first", 0.2))
    first.start()
    inside.wait()
    use("second", 0)
    first.join()
    assert order == ["first in", "first out", "second in", "second out"]
    assert lm.model.config._attn_implementation == before


def test_an_empty_field_is_an_empty_context():
    lm = causal_lm("gpt2")
    tuner = PromptTuner(lm, "{text} [V:3] {answer}")
    rows = [dict(row, text="") for row in ROWS[:1]] + ROWS[1:]
    examples = [tuner.tokens.encode(row) for row in rows]
    plain = ForwardPlan(lm, tuner.template, fast=False)
    logits = plain.logits(tuner.prompt_embeddings(), examples)
    cached = tuner(examples, contexts(tuner, rows))
    assert torch.allclose(cached, sum_targets(logits, examples), rtol=1e-9)
