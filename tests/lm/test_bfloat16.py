"""Products in bfloat16: close to float32, smaller, and otherwise the same model."""

import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

import ptlearn as pt
from ptlearn.course.architectures import ARCHITECTURES, TEMPLATES, small_lm
from ptlearn.errors import TrainingError
from ptlearn.forward.kv_cache import ContextCache
from ptlearn.forward.plan import ForwardPlan
from ptlearn.lm import bfloat16, load
from ptlearn.lm.bfloat16 import (
    Bfloat16Linear,
    has_bfloat16_instructions,
    multiply_in_bfloat16,
)
from ptlearn.lm.load import load_lm, random_lm_like
from ptlearn.tasks.worlds import world_task

CONTEXT = "The capital of {subject} is [V:2] {answer}"
pytestmark = pytest.mark.filterwarnings(
    "ignore:no bfloat16 instructions", "ignore:.*plain, slower forward"
)


@pytest.fixture(scope="module")
def exact():
    return load_lm("tiny")


@pytest.fixture(scope="module")
def rounded():
    return load_lm("tiny", dtype="bfloat16")


def loss_and_gradient(lm, template, rows):
    """The mean loss at the start, and its gradient at the prompt embeddings."""
    tuner = pt.PromptTuner(lm, template)
    examples = [tuner.tokens.encode(row) for row in rows]
    loss = -tuner(examples).mean()
    (gradient,) = torch.autograd.grad(loss, list(tuner.parameters()))
    return loss.item(), gradient.flatten()


def compare(exact, rounded, template, rows):
    """How far the losses lie apart, and the cosine of the two gradients."""
    (loss, gradient), (other_loss, other) = (
        loss_and_gradient(lm, template, rows) for lm in (exact, rounded)
    )
    assert loss != other_loss, "nothing was rounded"
    return abs(loss - other_loss), torch.cosine_similarity(gradient, other, dim=0)


def megabytes(model):
    return sum(p.nbytes for p in model.parameters()) / 1e6


# --- every architecture --------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if n != "RWKV"])
def test_every_architecture_keeps_its_loss_gradient_and_fingerprint(name):
    exact, rounded = small_lm(name), small_lm(name)
    multiply_in_bfloat16(rounded.model)
    assert rounded.fingerprint == exact.fingerprint
    assert (rounded.dtype, rounded.product_dtype) == (torch.float32, torch.bfloat16)
    head = rounded.model.get_output_embeddings()
    for layer in rounded.model.modules():
        assert type(layer) not in (nn.Linear, Conv1D) or layer is head
        if not isinstance(layer, Bfloat16Linear):
            own = layer.parameters(recurse=False)
            assert all(weight.dtype == torch.float32 for weight in own)
    rows = list(world_task().test)[:4]
    apart, cosine = compare(exact, rounded, TEMPLATES[exact.kind], rows)
    assert apart < 0.02 and cosine > 0.994
    prompt = (tuner := pt.PromptTuner(rounded, TEMPLATES[exact.kind])).fold()
    scores = prompt.answer_log_probs(rows)
    assert scores.dtype == torch.float32
    assert torch.equal(scores, tuner.answer_log_probs(rows))


@pytest.mark.parametrize("transposed", [False, True])
def test_a_layer_is_its_own_product_rounded_and_goes_back_to_its_input_alone(
    transposed,
):
    torch.manual_seed(0)
    layer = Conv1D(5, 7) if transposed else nn.Linear(7, 5)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    ours = Bfloat16Linear(layer.requires_grad_(False))
    x = torch.randn(3, 4, 7, requires_grad=True)
    out, wanted = ours(x), layer(x)
    assert out.dtype == x.dtype and out.shape == wanted.shape
    assert torch.allclose(out, wanted, atol=0.05) and not torch.equal(out, wanted)
    gradients = [torch.autograd.grad(y.square().sum(), x)[0] for y in (out, wanted)]
    assert gradients[0].dtype == x.dtype
    assert torch.cosine_similarity(*[g.flatten() for g in gradients], dim=0) > 0.999
    assert ours.rounded.dtype == torch.bfloat16 and ours.bias is layer.bias
    # A model that multiplies by the weights itself, as Mamba does, gets no surprise.
    assert ours.weight.dtype == torch.float32
    assert torch.allclose(ours.weight, layer.weight, rtol=2**-8)


# --- the tiny model ------------------------------------------------------------


def test_only_a_processor_that_imitates_bfloat16_brings_a_warning(monkeypatch, recwarn):
    for known in (True, False):
        recwarn.clear()
        monkeypatch.setattr(
            load, "has_bfloat16_instructions", lambda device, known=known: known
        )
        load_lm("tiny", device="cpu", dtype="bfloat16")
        said = [str(w.message) for w in recwarn if "bfloat16" in str(w.message)]
        assert bool(said) != known
    assert said == [
        "no bfloat16 instructions are known of this cpu: "
        'dtype="bfloat16" saves memory here, but is likely slower than "float32"'
    ]


def test_the_weights_of_linear_layers_take_half(exact, rounded):
    layers = [m for m in exact.model.modules() if type(m) is nn.Linear]
    tied = exact.model.get_output_embeddings()
    halved = sum(megabytes(layer) for layer in layers if layer is not tied) / 2
    assert megabytes(rounded.model) == pytest.approx(megabytes(exact.model) - halved)
    assert rounded.num_parameters() == exact.num_parameters()


def test_kept_contexts_give_the_numbers_of_the_plain_forward(rounded):
    rows = pt.load_task("capital").train.select(range(20)).to_list()
    tuner = pt.PromptTuner(rounded, CONTEXT)
    examples = [tuner.tokens.encode(row) for row in rows]
    plain = ForwardPlan(rounded, tuner.template, fast=False)
    with torch.no_grad():
        table = tuner.prompt_embeddings()
        cache = ContextCache(example.ids for example in examples)
        first, later = (
            tuner._plan.logits(table, examples, None, cache) for _ in range(2)
        )
        wanted = plain.logits(table, examples)
    assert cache.bytes and torch.equal(first, later)
    assert first.dtype == torch.float32
    assert (first - wanted).abs().max() < 0.05
    kept = [states.dtype for states in cache._kept.values()]
    assert set(kept) == {torch.float32}, "attention stays in float32"


def test_a_prompt_of_one_dtype_is_used_in_the_other(exact, rounded, tmp_path):
    task = pt.load_task("official_language")
    rows = task.test.to_list()
    for number, (made, used) in enumerate([(exact, rounded), (rounded, exact)]):
        tuner = pt.PromptTuner(made, "[V:1] {subject} [V:1] {answer}")
        pt.fit(tuner, task, steps=4, evaluate_every=4, progress=False)
        prompt = tuner.fold()
        loaded = pt.Prompt.load(prompt.save(tmp_path / str(number)), used)
        assert torch.equal(loaded.prompt_embeddings(), prompt.prompt_embeddings())
        here, there = (one.answer_log_probs(rows) for one in (prompt, loaded))
        assert 0 < (here - there).abs().max() < 0.1
        report = pt.evaluate(loaded, task, progress=False)
        assert report.rows["predicted"].tolist() == loaded.predict(rows)
        assert len(loaded.generate(rows[:2], max_new_tokens=2)) == 2


def test_a_run_does_not_go_on_in_another_dtype(exact, rounded, tmp_path):
    task = pt.load_task("official_language")
    options = {"steps": 4, "evaluate_every": 2, "progress": False}
    options |= {"checkpoint_dir": tmp_path}
    template = "[V:1] {subject} {answer}"
    pt.fit(pt.PromptTuner(exact, template), task, **options)
    with pytest.raises(TrainingError, match=r"products: 'torch\.float32' there"):
        pt.fit(pt.PromptTuner(rounded, template), task, resume=True, **options)


def test_the_control_with_random_weights_multiplies_alike(rounded):
    control = random_lm_like(rounded, seed=1)
    assert control.product_dtype == torch.bfloat16
    assert control.fingerprint != rounded.fingerprint


# --- which processors ----------------------------------------------------------


@pytest.mark.parametrize(
    ("machine", "answers", "known"),
    [
        ("x86_64", {}, False),
        ("AMD64", {"avx512_bf16": True}, True),
        ("x86_64", {"amx": True}, True),
        ("x86_64", {"amx": True, "mkldnn": False}, False),
        ("aarch64", {"arm": True}, True),
        ("aarch64", {"amx": True}, False),
    ],
)
def test_instructions_of_a_processor(monkeypatch, machine, answers, known):
    for name, where in {
        "avx512_bf16": (torch.cpu, "_is_avx512_bf16_supported"),
        "amx": (torch.cpu, "_is_amx_tile_supported"),
        "mkldnn": (torch.backends.mkldnn, "is_available"),
        "arm": (torch.ops.mkldnn, "_is_mkldnn_bf16_supported"),
    }.items():
        answer = answers.get(name, name == "mkldnn")
        monkeypatch.setattr(*where, lambda answer=answer: answer)
    monkeypatch.setattr(bfloat16.platform, "machine", lambda: machine)
    assert has_bfloat16_instructions(torch.device("cpu")) == known


def test_instructions_of_gpus(monkeypatch):
    for capability, known in {(7, 5): False, (8, 0): True, (9, 0): True}.items():
        monkeypatch.setattr(
            torch.cuda, "get_device_capability", lambda device, c=capability: c
        )
        assert has_bfloat16_instructions(torch.device("cuda")) == known
    assert not has_bfloat16_instructions(torch.device("mps"))


# --- the embedded model --------------------------------------------------------


@pytest.mark.embedded
@pytest.mark.slow
@pytest.mark.parametrize(
    "template", ["{text} [V:6] {answer}", '{text}[V:"\nSentiment:"] {answer}']
)
def test_the_embedded_model_keeps_its_loss_and_gradient(embedded_lm, template):
    rounded = load_lm(dtype="bfloat16")
    rows = pt.load_task("movie_sentiment").train.select(range(16)).to_list()
    apart, cosine = compare(embedded_lm, rounded, template, rows)
    assert apart < 0.02 and cosine > 0.994
    assert megabytes(rounded.model) < 0.61 * megabytes(embedded_lm.model)
