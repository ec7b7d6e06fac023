"""Prompt encoders and the vectors that training starts from."""

import pytest
import torch
from small_models import causal_lm
from torch import nn

import ptlearn as pt
from ptlearn.errors import PromptError
from ptlearn.prompts.encoders import EncoderConfig, make_encoder
from ptlearn.prompts.initializers import initial_table, word_vectors

EVERY = ["none", "mlp", "lstm", "residual-mlp", "residual-lstm"]


def count(encoder):
    return sum(p.numel() for p in encoder.parameters())


@pytest.mark.parametrize(("width", "wanted"), [(768, 8_275_968), (1024, 14_704_640)])
def test_the_papers_encoder_to_the_parameter(width, wanted):
    assert count(make_encoder("lstm", torch.zeros(6, width))) == wanted
    assert count(make_encoder("none", torch.zeros(6, width))) == 6 * width


def test_lstm_equals_the_papers_formula_written_out():
    encoder = make_encoder("lstm", torch.randn(5, 12, dtype=torch.float64))
    embedding = nn.Embedding(5, 12).double()
    lstm = nn.LSTM(12, 6, 2, bidirectional=True, batch_first=True).double()
    mlp = nn.Sequential(nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 12)).double()
    embedding.weight.data.copy_(encoder.embedding)
    lstm.load_state_dict(encoder.lstm.state_dict())
    mlp.load_state_dict(encoder.mlp.state_dict())
    wanted = mlp(lstm(embedding(torch.arange(5)).unsqueeze(0))[0]).squeeze(0)
    assert torch.equal(encoder(), wanted)


@pytest.mark.parametrize("encoder", EVERY)
@pytest.mark.parametrize("count", [1, 2, 200])
def test_shape_for_one_token_and_many(encoder, count):
    assert make_encoder(encoder, torch.randn(count, 9))().shape == (count, 9)


@pytest.mark.parametrize("kind", ["mlp", "lstm"])
def test_residual_starts_exactly_at_the_words(kind):
    table = torch.randn(4, 10)
    assert torch.equal(make_encoder(f"residual-{kind}", table)(), table)
    assert not torch.equal(make_encoder(kind, table)(), table)


def test_a_seed_gives_the_same_encoder_and_leaves_the_programs_state():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, two = (make_encoder("lstm", torch.ones(3, 8), seed=5)() for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, make_encoder("lstm", torch.ones(3, 8), seed=6)())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "gru"}, 'unknown encoder \'gru\'; allowed: "none", "mlp"'),
        ({"kind": "none", "residual": True}, "needs an encoder"),
        ({"encoder_hidden_size": 0}, "encoder_hidden_size must be at least 1, not 0"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), not 1.0"),
    ],
)
def test_bad_configs(config, message):
    with pytest.raises(PromptError, match=message):
        EncoderConfig(**config)


@pytest.mark.parametrize("name", ["gru", "residual-none", "", None, "LSTM"])
def test_unknown_names_are_told_what_is_allowed(name):
    with pytest.raises(PromptError, match="allowed.*residual-lstm"):
        make_encoder(name, torch.zeros(1, 2))


def test_config_opens_width_and_layers():
    config = EncoderConfig("lstm", encoder_hidden_size=3, num_layers=1)
    encoder = make_encoder(config, torch.zeros(2, 8))
    assert encoder.lstm.hidden_size == 3 and encoder.lstm.num_layers == 1
    assert encoder().shape == (2, 8)


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


def test_vocabulary_rows_come_from_the_vocabulary(lm):
    table = initial_table("vocabulary", lm, 3, seed=4)
    matrix = lm.model.get_input_embeddings().weight
    assert all((matrix == row).all(1).any() for row in table)
    assert not torch.equal(table, initial_table("vocabulary", lm, 3, seed=5))


def test_words_are_repeated_or_cut_to_the_number_of_virtual_tokens(lm):
    ids = lm.tokenizer(" capital city of")["input_ids"]
    table = initial_table("words: capital city of", lm, 5)
    assert torch.equal(table, word_vectors(lm, ids + ids[:2]))


def test_task_and_answer_words(lm, task):
    described = lm.tokenizer(" " + task.description)["input_ids"][:2]
    assert torch.equal(
        initial_table("task", lm, 2, task=task), word_vectors(lm, described)
    )
    answers = initial_table("answers", lm, 4, task=task, seed=1)
    assert answers.shape == (4, lm.token_dim)


def test_a_tensor_is_taken_as_it_is_and_copied(lm):
    given = torch.ones(2, lm.token_dim)
    tuner = pt.PromptTuner(lm, "[V:2] {subject} {answer}", init=given)
    assert torch.equal(tuner.prompt_embeddings(), given)
    with torch.no_grad():
        tuner.encoder.embedding.add_(1)
    assert torch.equal(given, torch.ones(2, lm.token_dim))


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ("Normal", 'unknown init \'Normal\'; allowed: "normal", "paper"'),
        ("words:", "no words to start from"),
        ("task", "needs the task"),
        (torch.ones(3, 3), r"shape \(3, 3\), but .* is \(2, 32\)"),
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


def test_width_of_the_input_embedding_is_what_counts():
    lm = causal_lm("opt, narrow embedding")
    assert (lm.token_dim, lm.model.config.hidden_size) == (16, 32)
    tuner = pt.PromptTuner(lm, "{subject} [V:3] {answer}", encoder="lstm")
    assert tuner.prompt_embeddings().shape == (3, 16)
