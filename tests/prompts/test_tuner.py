"""What is trained, what is not, and folding."""

import copy
import hashlib
import pickle

import pytest
import torch
from small_models import causal_lm, masked_lm

import ptlearn as pt
from ptlearn.errors import PromptError

ROWS = [
    {"subject": "Osaka", "answer": "Japan"},
    {"subject": "Port Moresby", "answer": "Papua New Guinea"},
    {"subject": "Rio", "answer": "Brazil"},
]
ANSWERS = [row["answer"] for row in ROWS]
PAPER = "[V:3] {subject} [V:3] {answer}"
ENCODERS = ["none", "mlp", "lstm", "residual-mlp", "residual-lstm"]
DROPOUT = [
    pt.EncoderConfig("lstm", dropout=0.5),
    pt.EncoderConfig("mlp", dropout=0.5, residual=True),
]


@pytest.fixture(scope="module")
def lm():
    return pt.load_lm("tiny")


def weights_hash(lm):
    digest = hashlib.sha256()
    for parameter in lm.model.parameters():
        digest.update(parameter.detach().numpy().tobytes())
    return digest.hexdigest()


def loss(tuner):
    return -tuner([tuner.tokens.encode(row) for row in ROWS]).mean()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_gradient_reaches_every_virtual_token_and_nothing_else(lm, encoder):
    tuner = pt.PromptTuner(lm, PAPER, encoder=encoder, init="normal")
    table = tuner.prompt_embeddings()
    (gradient,) = torch.autograd.grad(loss(tuner), [tuner.encoder.embedding])
    assert gradient.abs().sum(1).min() > 0
    assert table.requires_grad
    loss(tuner).backward()
    assert all(p.grad is not None for p in tuner.parameters())
    assert all(p.grad is None for p in lm.model.parameters())
    names = {name.split(".")[0] for name, _ in tuner.named_parameters()}
    assert names == {"encoder"}


def test_masked_embedding_matrix_and_separate_table_give_the_same_gradient():
    """The paper's code writes the virtual rows into the LM's own embedding layer."""
    lm = causal_lm("llama, multi-head, untied")
    tuner = pt.PromptTuner(lm, PAPER)
    loss(tuner).backward()
    wanted = tuner.encoder.embedding.grad

    words = lm.model.get_input_embeddings().weight
    free = list(range(100, 106))  # tokens that no row uses lend their places
    matrix = words.detach().clone()
    matrix[free] = tuner.prompt_embeddings().detach()
    matrix.requires_grad_(True)
    total = 0
    for row in ROWS:
        example = tuner.tokens.encode(row)
        assert not set(free) & set(example.ids)
        ids = torch.tensor([[free[-i - 1] if i < 0 else i for i in example.ids]])
        embedded = torch.nn.functional.embedding(ids, matrix)
        logits = lm.model(inputs_embeds=embedded).logits[0, example.first_target :]
        targets = torch.tensor(example.targets)
        total += torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    (total / len(ROWS)).backward()
    mask = torch.zeros(len(matrix), 1, dtype=matrix.dtype)
    mask[free] = 1
    masked = matrix.grad * mask
    assert torch.linalg.norm(masked[free] - wanted) < 1e-9 * torch.linalg.norm(wanted)
    assert masked.count_nonzero() == masked[free].count_nonzero()


@pytest.mark.parametrize("encoder", [*ENCODERS, *DROPOUT], ids=str)
def test_fold_gives_the_same_logits_difference_zero(lm, encoder):
    tuner = pt.PromptTuner(lm, PAPER, encoder=encoder, init="normal")
    optimizer = torch.optim.SGD(tuner.parameters(), lr=0.1)
    loss(tuner).backward()
    optimizer.step()
    tuner.train()
    before = weights_hash(lm)
    prompt = tuner.fold()
    assert tuner.training, "folding leaves the mode as it was"
    assert torch.equal(prompt.answer_log_probs(ROWS), tuner.answer_log_probs(ROWS))
    assert not prompt.prompt_embeddings().requires_grad
    assert weights_hash(lm) == before


def test_dropout_is_why_folding_is_done_in_eval_mode(lm):
    tuner = pt.PromptTuner(lm, PAPER, encoder=DROPOUT[0])
    tuner.train()
    assert not torch.equal(tuner.prompt_embeddings(), tuner.prompt_embeddings())
    assert torch.equal(
        tuner.fold().prompt_embeddings(), tuner.fold().prompt_embeddings()
    )


def test_batch_mates_and_batch_size_do_not_change_an_answer():
    lm = causal_lm("llama, grouped-query, tied")
    tuner = pt.PromptTuner(lm, "{subject} [V:3] {answer}")
    wanted = torch.cat([tuner.answer_log_probs([row]) for row in ROWS])
    for size in (1, 2, 3):
        found = tuner.answer_log_probs(ROWS[::-1], batch_size=size).flip(0)
        assert torch.allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("make", [causal_lm, masked_lm])
def test_works_on_both_kinds_of_model(make):
    lm = make("gpt2" if make is causal_lm else "bert")
    tuner = pt.PromptTuner(lm, "[V:2] {subject} is [V] {answer}", encoder="lstm")
    loss(tuner).backward()
    prompt = tuner.fold()
    found = prompt.predict(ROWS[::-1], ANSWERS)
    assert found[::-1] == prompt.predict(ROWS, ANSWERS)
    assert torch.equal(prompt.answer_log_probs(ROWS), tuner.answer_log_probs(ROWS))


def test_two_hundred_virtual_tokens(lm):
    tuner = pt.PromptTuner(lm, "[V:200] {subject} {answer}")
    loss(tuner).backward()
    assert tuner.encoder.embedding.grad.abs().sum(1).min() > 0
    assert tuner.num_trainable() == 200 * lm.token_dim


def test_nothing_to_train_is_said(lm):
    with pytest.raises(PromptError, match="no virtual tokens"):
        pt.PromptTuner(lm, "{subject} {answer}")


def test_a_copied_or_pickled_tuner_says_the_same(lm):
    tuner = pt.PromptTuner(lm, PAPER, encoder="lstm")
    for other in (copy.deepcopy(tuner), pickle.loads(pickle.dumps(tuner))):
        assert torch.equal(other.answer_log_probs(ROWS), tuner.answer_log_probs(ROWS))
