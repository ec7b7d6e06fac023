"""The three-part plan gives the plain forward's numbers, on every kind of template."""

import pytest
import torch
from small_models import CAUSAL, MASKED, causal_lm, masked_lm

import ptlearn as pt
from ptlearn.forward import plan as plan_module
from ptlearn.forward import split_attention as attention
from ptlearn.forward.kv_cache import ContextCache
from ptlearn.forward.plan import Plan
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
    "long lead": "[V:9] {subject} [V] {answer}",
    "several fields": "{subject}: {text} [V:2] {subject} [V] {answer}",
    "words before virtual": "The city of [V:2] {subject} [V:2] {answer}",
    "one virtual token": "{subject} [V] {answer}",
    "no field at all": "[V:3] {answer}",
    "word start": '{subject} [V:"is located in"] {answer}',
}
MASKED_TEMPLATES = {
    "as the paper's": "[V:3] {answer} [V:3] {subject} [V:3] .",
    "virtual last": "{subject} is in {answer} [V:2]",
    "answer first": "{answer} is [V] {subject}",
    "context first": "{text} it was [V:2] {answer} .",
}


@pytest.fixture(autouse=True)
def lead_is_always_read_apart(monkeypatch):
    """Or three rows would take the plain forward, and prove nothing."""
    monkeypatch.setattr(plan_module, "PREFIX_COSTS", 0)


def gradient(tuner: PromptTuner, plan: Plan, store=None):
    """Log-probabilities and the table's gradient under a plan."""
    examples = [plan.tokens.encode(row) for row in ROWS]
    tuner._plan = plan
    tuner.zero_grad()
    log_probs = tuner(examples, store)
    log_probs.sum().backward()
    return log_probs.detach(), tuner.encoder.embedding.grad.clone()


def assert_same(found, wanted, tolerance=1e-9):
    for a, b in zip(found, wanted, strict=True):
        assert torch.linalg.norm(a - b) <= tolerance * torch.linalg.norm(b)


@pytest.mark.parametrize("architecture", CAUSAL)
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_fast_equals_plain(architecture, template):
    lm = causal_lm(architecture)
    tuner = PromptTuner(lm, template)
    plain = gradient(tuner, Plan(lm, tuner.template, fast=False, padding_side="right"))
    assert plain[1].abs().sum(1).min() > 0, "each virtual token gets a gradient"
    fast = Plan(lm, tuner.template)
    assert fast.fast
    store = ContextCache()
    assert_same(gradient(tuner, fast), plain)
    assert_same(gradient(tuner, fast, store), plain)
    assert_same(gradient(tuner, fast, store), plain)  # now from the store
    right = Plan(lm, tuner.template, padding_side="right")
    assert_same(gradient(tuner, right, store), plain)
    left = Plan(lm, tuner.template, fast=False, padding_side="left")
    assert_same(gradient(tuner, left), plain)
    joined = Plan(lm, tuner.template)
    joined._can_split = False
    assert_same(gradient(tuner, joined, store), plain)
    if template == TEMPLATES["context first"]:
        assert (store.hits, store.misses) == (9, 3)


@pytest.mark.parametrize("architecture", CAUSAL)
def test_every_architecture_here_attends_to_its_past_unjoined(
    architecture, monkeypatch
):
    lm, called = causal_lm(architecture), []
    tuner = PromptTuner(lm, TEMPLATES["context first"])
    original = attention.split_attention

    def counted(module, query, key, *args, **options):
        called.append(hasattr(key, "past"))
        return original(module, query, key, *args, **options)

    monkeypatch.setitem(
        attention.AttentionInterface._global_mapping, attention.NAME, counted
    )
    before = lm.model.config._attn_implementation
    gradient(tuner, tuner._plan, ContextCache())
    assert called and all(called)
    assert lm.model.config._attn_implementation == before, "the model is left as it was"


@pytest.mark.parametrize("architecture", MASKED)
@pytest.mark.parametrize("template", MASKED_TEMPLATES.values(), ids=MASKED_TEMPLATES)
def test_masked_models_take_the_plain_forward_on_any_side(architecture, template):
    lm = masked_lm(architecture)
    tuner = PromptTuner(lm, template)
    assert not tuner._plan.fast
    plain = gradient(tuner, Plan(lm, tuner.template, padding_side="right"))
    left = gradient(tuner, Plan(lm, tuner.template, padding_side="left"))
    assert_same(left, plain)
    assert plain[1].abs().sum(1).min() > 0


def test_a_cache_of_another_kind_falls_back_and_says_so_once():
    lm = causal_lm("mistral, sliding window")
    with pytest.warns(UserWarning, match="plain, slower forward") as warned:
        tuner = PromptTuner(lm, "{text} [V:3] {answer}")
        again = Plan(lm, tuner.template)
    assert len(warned) == 1
    assert not tuner._plan.fast and not again.fast
    plain = gradient(tuner, Plan(lm, tuner.template, fast=False))
    assert_same(gradient(tuner, tuner._plan, ContextCache()), plain)


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
@pytest.mark.embedded
def test_embedded_model_within_float32_tolerance(template, embedded_lm):
    tuner = PromptTuner(embedded_lm, template, seed=1)
    plain = gradient(tuner, Plan(embedded_lm, tuner.template, fast=False))
    fast = gradient(tuner, Plan(embedded_lm, tuner.template), ContextCache())
    assert (fast[0] - plain[0]).abs().max() <= 1e-4
    assert torch.linalg.norm(fast[1] - plain[1]) <= 1e-3 * torch.linalg.norm(plain[1])


def test_store_spills_over_at_its_bound_with_the_same_bits():
    lm = pt.load_lm("tiny")
    tuner = PromptTuner(lm, "{text} [V:3] {answer}")
    plan, roomy, full = tuner._plan, ContextCache(), ContextCache(max_bytes=3000)
    wanted = gradient(tuner, plan, roomy)
    for _ in range(2):
        found = gradient(tuner, plan, full)
        assert torch.equal(found[0], wanted[0]) and torch.equal(found[1], wanted[1])
    assert 0 < full.bytes <= 3000 < roomy.bytes
    assert full.misses > len(ROWS), "what did not fit was computed again"


def test_lead_is_read_apart_only_where_enough_rows_share_it(monkeypatch):
    monkeypatch.setattr(plan_module, "PREFIX_COSTS", 64)
    tuner = PromptTuner(pt.load_lm("tiny"), "[V:20] {subject} {answer}")
    table = tuner.prompt_embeddings()
    assert tuner._plan.shared_prefix(table, 4) is None, "60 tokens saved"
    assert tuner._plan.shared_prefix(table, 5).mask.shape == (1, 20), "80 tokens saved"
    assert tuner._plan.shared_prefix(table).mask.shape == (1, 20), (
        "a whole data set shares it"
    )


def test_an_empty_field_is_an_empty_context():
    lm = causal_lm("gpt2")
    tuner = PromptTuner(lm, "{text} [V:3] {answer}")
    rows = [dict(row, text="") for row in ROWS[:1]] + ROWS[1:]
    examples = [tuner.tokens.encode(row) for row in rows]
    kept = tuner(examples, ContextCache())
    tuner._plan = Plan(lm, tuner.template, fast=False)
    assert torch.allclose(kept, tuner(examples), rtol=1e-9)
