"""On a GPU: the same numbers as on the CPU, and both in one process."""

import pytest
import torch

import ptlearn as pt
from ptlearn.forward.plan import ForwardPlan

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA GPU on this machine"
)
TEMPLATES = (
    "[V:3] {subject} [V:3] {answer}",
    "{subject} [V:2] is in {answer}",
    "[V:20] {subject} {answer}",
)


def scores_on(device, template):
    """Log-probabilities and the gradient at the table, on the tiny model."""
    lm = pt.load_lm("tiny", device=device)
    task = pt.load_task("official_language")
    tuner = pt.PromptTuner(lm, template, seed=3)
    examples = [tuner.tokens.encode(row) for row in task.train.select(range(12))]
    log_probs = tuner(examples)
    log_probs.sum().backward()
    return log_probs.detach().cpu(), tuner.encoder.embedding.grad.cpu()


@pytest.mark.parametrize("template", TEMPLATES)
def test_log_probs_and_gradients_are_those_of_the_cpu(template):
    (ours, gradient), (cpu, cpu_gradient) = (
        scores_on(device, template) for device in ("cuda", "cpu")
    )
    assert torch.allclose(ours, cpu, atol=1e-4)
    gap = (gradient - cpu_gradient).norm() / cpu_gradient.norm()
    assert gap < 1e-3


@pytest.mark.parametrize("encoder", ["none", "lstm", "residual-mlp"])
def test_a_run_on_the_cpu_follows_one_on_the_gpu(encoder, tmp_path):
    task = pt.load_task("official_language")
    for device in ("cuda", "cpu", "cuda"):
        lm = pt.load_lm("tiny", device=device)
        tuner = pt.PromptTuner(lm, TEMPLATES[0], encoder=encoder)
        history = pt.fit(tuner, task, steps=6, evaluate_every=3, progress=False)
        assert history.stopped == "done" and len(history.records) == 6
        prompt = tuner.fold()
        rows = task.test.to_list()[:5]
        folded, tuned = prompt.answer_log_probs(rows), tuner.answer_log_probs(rows)
        assert (folded - tuned).abs().max() == 0.0
        prompt.save(tmp_path / f"{encoder}-{device}")
    # Tuned on the GPU, used on the CPU.
    lm = pt.load_lm("tiny", device="cpu")
    loaded = pt.Prompt.load(tmp_path / f"{encoder}-cuda", lm)
    assert torch.allclose(loaded.answer_log_probs(rows), folded.cpu(), atol=1e-4)


def test_a_resumed_run_on_the_gpu_ends_as_the_uninterrupted_one(tmp_path):
    task, lm = pt.load_task("official_language"), pt.load_lm("tiny", device="cuda")

    def run(steps_before_stop=None, **options):
        tuner = pt.PromptTuner(lm, TEMPLATES[0], encoder="lstm")
        pt.fit(
            tuner,
            task,
            steps=12,
            evaluate_every=3,
            progress=False,
            callback=lambda _, record: record["step"] == steps_before_stop,
            **options,
        )
        return tuner.prompt_embeddings().detach()

    whole = run()
    run(7, checkpoint_dir=tmp_path)
    assert torch.equal(run(checkpoint_dir=tmp_path, resume=True), whole)


def test_fast_and_plain_forward_agree_on_the_gpu():
    lm = pt.load_lm("tiny", device="cuda")
    for text in TEMPLATES:
        template = pt.Template(text)
        plans = [ForwardPlan(lm, template, fast=fast) for fast in (True, False)]
        rows = pt.load_task("official_language").train.select(range(8))
        tuner = pt.PromptTuner(lm, template, seed=1)
        table = tuner.prompt_embeddings().detach()
        examples = [tuner.tokens.encode(row) for row in rows]
        fast, plain = (
            plan.logits(table, examples, plan.shared_prefix(table)) for plan in plans
        )
        assert torch.allclose(fast, plain, atol=1e-5)
