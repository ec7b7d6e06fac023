"""The settings: one home, one description, and values that are not allowed."""

import inspect
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
import torch

import ptlearn as pt
from ptlearn.errors import TrainingError
from ptlearn.training.batches import batch_order
from ptlearn.training.config import LARGEST_SEED, LEARNING_RATES, TrainingConfig

NOT_SETTINGS = {"tuner", "task", "checkpoint_dir", "resume", "overwrite"}
NOT_SETTINGS |= {"callback", "progress"}


def test_fit_takes_the_settings_and_their_defaults_from_the_config():
    taken = {
        name: parameter
        for name, parameter in inspect.signature(pt.fit).parameters.items()
        if name not in NOT_SETTINGS
    }
    assert list(taken) == [f.name for f in fields(TrainingConfig)]
    for field in fields(TrainingConfig):
        parameter = taken[field.name]
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default == field.default
        assert parameter.annotation == field.type


def test_fit_and_the_config_describe_each_setting_in_the_same_words():
    def described(thing):
        text = inspect.getdoc(thing)
        return text[text.index("steps : int or None") : text.index("up to rounding.")]

    assert described(pt.fit) == described(TrainingConfig)
    for field in fields(TrainingConfig):
        assert f"\n{field.name} : " in "\n" + described(TrainingConfig)


def test_a_config_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        TrainingConfig().steps = 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be a whole number, at least 1, or None, not 0"),
        ({"steps": 1.5}, "steps must be a whole number, .* not 1.5"),
        ({"batch_size": -1}, "batch_size must be a whole number, at least 1"),
        ({"evaluate_every": "5"}, "evaluate_every must be .*, not '5'"),
        ({"lr": 0.0}, "lr must be a number above 0, or None, not 0.0"),
        ({"lr": float("nan")}, "lr must be .*, not nan"),
        ({"lr": float("inf")}, "lr must be .*, not inf"),
        ({"lr": "high"}, "lr must be .*, not 'high'"),
        ({"weight_decay": -0.1}, "weight_decay must be a number, at least 0"),
        ({"warmup": 1.0}, "warmup must be a share of the steps, at least 0 and below"),
        ({"max_grad_norm": 0}, "max_grad_norm must be a number above 0"),
        ({"patience": 0}, "patience must be a whole number, at least 1, or None"),
        ({"seed": 0.5}, "seed must be a whole number, not 0.5"),
        ({"seed": 2**50}, "seed must be between -10,000,000,000,000 and 10,000,.* not"),
        ({"seed": -(2**50)}, "seed must be between .*, not -1125899906842624"),
        ({"kv_cache_bytes": -1}, "kv_cache_bytes must be a whole number, at least 0"),
        (
            {"metric": "f1"},
            'metric must be "p_at_1" or "accuracy" or "loss", not \'f1\'',
        ),
        ({"schedule": "cosine"}, 'schedule must be "linear" or "plateau", or None'),
    ],
)
def test_a_bad_value_is_named_with_those_allowed(settings, message):
    with pytest.raises(TrainingError, match=message):
        TrainingConfig(**settings)


@pytest.mark.parametrize("seed", [LARGEST_SEED, -LARGEST_SEED])
def test_the_largest_seeds_last_a_million_epochs(seed):
    generator = torch.Generator()
    generator.manual_seed(TrainingConfig(seed=seed).seed * 100_003 + 10**6)
    assert next(batch_order([1, 2, 3], 2, seed))


def test_a_seed_may_be_a_number_of_numpy():
    tuner = pt.PromptTuner(pt.load_lm("tiny"), "{x} [V:2] {answer}", seed=np.int64(5))
    same = pt.PromptTuner(pt.load_lm("tiny"), "{x} [V:2] {answer}", seed=5)
    task = pt.Task.from_rows([{"x": "Osaka", "answer": "Japan"}])
    losses = [
        pt.fit(one, task, steps=2, seed=seed, progress=False).frame["loss"].tolist()
        for one, seed in ((tuner, np.int64(5)), (same, 5))
    ]
    assert losses[0] == losses[1]


def test_each_encoder_has_a_rate():
    kinds = ("linear", "mlp", "lstm")
    names = ["none", *kinds, *(f"residual-{kind}" for kind in kinds)]
    assert sorted(LEARNING_RATES) == sorted(names)
    for name in names:
        TrainingConfig(lr=LEARNING_RATES[name])


@pytest.mark.parametrize(
    ("given", "has_dev", "steps", "schedule"),
    [
        ({}, True, 300, "plateau"),  # nothing set: a run that ends when it is done
        ({}, False, 150, "linear"),
        ({"steps": 40}, True, 40, "linear"),  # so many steps, with a rate for them
        ({"schedule": "plateau"}, True, 300, "plateau"),
        ({"schedule": "linear"}, True, 150, "linear"),
        ({"steps": 40, "schedule": "plateau"}, True, 40, "plateau"),
    ],
)
def test_what_is_left_open_is_filled_in(given, has_dev, steps, schedule):
    settings = TrainingConfig(**given).resolve("lstm", has_dev=has_dev)
    assert (settings.steps, settings.schedule) == (steps, schedule)
    assert settings.lr == LEARNING_RATES["lstm"]


def test_what_is_given_stays():
    settings = TrainingConfig(lr=0.5, batch_size=3).resolve("none", has_dev=True)
    assert (settings.lr, settings.batch_size) == (0.5, 3)
