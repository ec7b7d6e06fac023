"""What is trained, what is not, and folding."""

import hashlib
import json

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
    assert prompt.predict(ROWS, ANSWERS) == prompt.predict(ROWS[::1], ANSWERS)
    assert torch.equal(prompt.answer_log_probs(ROWS), tuner.answer_log_probs(ROWS))


def test_two_hundred_virtual_tokens(lm):
    tuner = pt.PromptTuner(lm, "[V:200] {subject} {answer}")
    loss(tuner).backward()
    assert tuner.encoder.embedding.grad.abs().sum(1).min() > 0
    assert tuner.num_trainable() == 200 * lm.token_dim


def test_nothing_to_train_is_said(lm):
    with pytest.raises(PromptError, match="no virtual tokens"):
        pt.PromptTuner(lm, "{subject} {answer}")


def test_table_must_fit_the_template(lm):
    with pytest.raises(PromptError, match=r"\(6, 32\).*not \(0, 32\); train one"):
        pt.Prompt(lm, PAPER)
    with pytest.raises(PromptError, match=r"not \(2, 32\)"):
        pt.Prompt(lm, PAPER, torch.zeros(2, 32))


def test_save_and_load(lm, tmp_path):
    prompt = pt.PromptTuner(lm, PAPER, seed=7).fold()
    prompt.answers = ANSWERS
    prompt.save(tmp_path / "mine")
    assert sorted(p.name for p in (tmp_path / "mine").iterdir()) == [
        "prompt.json",
        "prompt.safetensors",
    ]
    loaded = pt.Prompt.load(tmp_path / "mine", lm)
    assert torch.equal(loaded.prompt_embeddings(), prompt.prompt_embeddings())
    assert loaded.predict([{"subject": "Osaka"}]) == prompt.predict(ROWS[:1])
    written = pt.Prompt(lm, "{subject} is in {answer}", answers=ANSWERS)
    written.save(tmp_path / "words")
    assert pt.Prompt.load(tmp_path / "words", lm).prompt_embeddings() is None


def test_a_prompt_for_another_model_is_refused_and_both_are_named(lm, tmp_path):
    pt.PromptTuner(lm, PAPER).fold().save(tmp_path)
    with pytest.raises(PromptError, match="trained on 'tiny', this is 'gpt2'"):
        pt.Prompt.load(tmp_path, causal_lm("gpt2"))


@pytest.mark.parametrize("damage", ["json", "tensors", "missing", "key"])
def test_a_damaged_prompt_is_said_to_be(lm, tmp_path, damage):
    pt.PromptTuner(lm, PAPER).fold().save(tmp_path)
    file = tmp_path / "prompt.json"
    if damage == "json":
        file.write_text(file.read_text()[:50])
    elif damage == "key":
        about = json.loads(file.read_text())
        del about["template"]
        file.write_text(json.dumps(about))
    elif damage == "tensors":
        data = (tmp_path / "prompt.safetensors").read_bytes()
        (tmp_path / "prompt.safetensors").write_bytes(data[:100])
    else:
        file.unlink()
    with pytest.raises(PromptError, match="no prompt in|is damaged"):
        pt.Prompt.load(tmp_path, lm)


def test_a_failed_save_leaves_nothing_half_written(lm, tmp_path, monkeypatch):
    prompt = pt.PromptTuner(lm, PAPER).fold()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        prompt.save(tmp_path / "p")
    assert list((tmp_path / "p").iterdir()) == []


def test_predict_needs_answers(lm):
    with pytest.raises(PromptError, match="no answers to choose from"):
        pt.Prompt(lm, "{subject} {answer}").predict(ROWS)


def test_generate_writes_on_and_masked_models_refuse(lm):
    prompt = pt.PromptTuner(lm, PAPER).fold()
    written = prompt.generate(ROWS, max_new_tokens=3)
    assert len(written) == 3 and all(isinstance(text, str) for text in written)
    masked = pt.Prompt(masked_lm("bert"), "{subject} is in {answer} .")
    with pytest.raises(PromptError, match="fills gaps"):
        masked.generate(ROWS)
