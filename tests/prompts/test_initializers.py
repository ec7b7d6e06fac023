"""The vectors that training starts from."""

import numpy as np
import pytest
import torch
from small_models import MARKED, causal_lm, masked_lm

import ptlearn as pt
from ptlearn.errors import PromptError
from ptlearn.prompts.initializers import initial_table, word_vectors


@pytest.fixture(scope="module")
def lm():
    return pt.load_lm("tiny")


@pytest.fixture(scope="module")
def task():
    return pt.load_task("city_country")


def test_normal_and_paper_scales(lm):
    normal = initial_table("normal", lm, 500, seed=1)
    paper = initial_table("paper", lm, 500, seed=1)
    assert normal.std().item() == pytest.approx(lm.embedding_std, rel=0.05)
    assert paper.std().item() == pytest.approx(1, rel=0.05)


def test_vocabulary_vectors_come_from_the_vocabulary(lm):
    table = initial_table("vocabulary", lm, 3, seed=4)
    matrix = lm.model.get_input_embeddings().weight
    assert all((matrix == vector).all(1).any() for vector in table)
    assert not torch.equal(table, initial_table("vocabulary", lm, 3, seed=5))


def test_more_virtual_tokens_than_the_vocabulary_has_repeat_it():
    lm = masked_lm("bert")
    size = lm.model.config.vocab_size
    table = initial_table("vocabulary", lm, 2 * size, seed=4)
    assert table.shape == (2 * size, lm.token_dim)
    assert len(table.unique(dim=0)) == size - len(lm.tokenizer.all_special_ids)


@pytest.mark.parametrize("name", MARKED)
def test_words_start_the_same_as_init_and_in_the_template(name):
    """Also where the tokenizer puts a mark before every text that it is given."""
    gpt2 = causal_lm("gpt2")
    lm = pt.LanguageModel(gpt2.model, MARKED[name](), "causal", name)
    inside = pt.PromptTuner(lm, 'The city [V:"is located in"] {answer}')
    count = inside.num_virtual_tokens
    outside = pt.PromptTuner(
        lm, f"The city [V:{count}] {{answer}}", init="words: is located in"
    )
    assert torch.equal(outside.prompt_embeddings(), inside.prompt_embeddings())


def test_words_are_repeated_or_cut_to_the_number_of_virtual_tokens(lm):
    ids = lm.tokenizer(" capital city of")["input_ids"]
    table = initial_table("words: capital city of", lm, 5)
    assert torch.equal(table, word_vectors(lm, ids + ids[:2]))


def test_task_and_answer_words(lm, task):
    described = lm.tokenizer(" " + task.description)["input_ids"][:2]
    assert torch.equal(
        initial_table("task", lm, 2, task=task), word_vectors(lm, described)
    )
    possible = {
        i for answer in task.answers for i in lm.tokenizer(" " + answer).input_ids
    }
    words = word_vectors(lm, sorted(possible))
    tables = [initial_table("answers", lm, 4, task=task, seed=seed) for seed in (1, 2)]
    assert all((words == vector).all(1).any() for t in tables for vector in t)
    assert not torch.equal(*tables), "the seed shuffles the answers"


@pytest.mark.parametrize("encoder", ["none", "residual-lstm"])
def test_the_tensor_given_as_init_is_never_written_to(lm, encoder):
    init = torch.ones(4, lm.token_dim)
    tuner = pt.PromptTuner(
        lm, '[V:2] {subject} [V:"is in"] {answer}', encoder=encoder, init=init
    )
    assert torch.equal(init, torch.ones(4, lm.token_dim))
    assert torch.equal(tuner.prompt_embeddings()[:2], init[:2])
    assert not torch.equal(tuner.prompt_embeddings()[2:], init[2:]), "words win"
    with torch.no_grad():
        tuner.encoder.embedding.zero_()
    assert torch.equal(init, torch.ones(4, lm.token_dim))


def test_a_transposed_init_is_made_contiguous(lm):
    init = torch.randn(lm.token_dim, 2).T
    tuner = pt.PromptTuner(lm, "[V:2] {subject} {answer}", init=init)
    assert torch.equal(tuner.prompt_embeddings(), init)
    assert tuner.prompt_embeddings().is_contiguous()


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ("Normal", 'unknown init \'Normal\'; allowed: "normal", "paper"'),
        ("words:", "no words to start from"),
        ("task", "needs the task"),
        (torch.ones(3, 3), r"shape \(3, 3\), but .* is \(2, 32\)"),
        (np.ones((2, 32)), "unknown init of type ndarray; allowed: .* or a tensor"),
        (3, "unknown init of type int"),
    ],
)
def test_bad_inits(lm, init, message):
    with pytest.raises(PromptError, match=message):
        initial_table(init, lm, 2)


def test_words_in_the_template_win_for_their_own_slots(lm):
    tuner = pt.PromptTuner(lm, '[V:2] {subject} [V:"is in"] {answer}', seed=3)
    ids = lm.tokenizer(" is in")["input_ids"]
    assert torch.equal(tuner.prompt_embeddings()[2:], word_vectors(lm, ids))
    normal = initial_table("normal", lm, 4, seed=3)
    assert torch.equal(tuner.prompt_embeddings()[:2], normal[:2])


@pytest.mark.parametrize("init", [None, "words: is in"])
def test_words_under_a_plain_encoder_are_warned_of(lm, init):
    template = (
        '{subject} [V:"is in"] {answer}' if init is None else "{subject} [V] {answer}"
    )
    with pytest.warns(UserWarning, match='encoder="residual-lstm" does'):
        pt.PromptTuner(lm, template, encoder="lstm", init=init)
