"""Prompt encoders: the paper's, and what is allowed."""

import pytest
import torch
from small_models import causal_lm
from torch import nn

import ptlearn as pt
from ptlearn.errors import PromptError
from ptlearn.prompts.encoders import EncoderConfig, make_encoder

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
        ({"kind": "gru"}, 'unknown encoder \'gru\'; allowed: "none", "linear"'),
        ({"kind": "none", "residual": True}, "needs an encoder"),
        (
            {"encoder_hidden_size": 0},
            "encoder_hidden_size must be .* at least 1, not 0",
        ),
        ({"encoder_hidden_size": "8"}, "encoder_hidden_size must be .*, not '8'"),
        ({"num_layers": 1.5}, "num_layers must be a whole number.*, not 1.5"),
        ({"num_layers": None}, "num_layers must be .*, not None"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), not 1.0"),
        ({"dropout": "a lot"}, r"dropout must be in \[0, 1\), not 'a lot'"),
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


def test_width_of_the_input_embedding_is_what_counts():
    lm = causal_lm("opt, narrow embedding")
    assert (lm.token_dim, lm.model.config.hidden_size) == (16, 32)
    tuner = pt.PromptTuner(lm, "{subject} [V:3] {answer}", encoder="lstm")
    assert tuner.prompt_embeddings().shape == (3, 16)
