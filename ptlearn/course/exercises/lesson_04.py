"""The checks of lesson 04: the prompt encoder."""

import numpy as np

from ..expect import done, exercise, expect, require

MOST_CALLS = 30
NEAR = 0.02
POWERS = (0.7, 1.47)
"""Ten times the rate moves the table 5 to 30 times as far, as the exercise says."""


@exercise
def ex04_1(trained, kept):
    """Check numbers trained and kept by an encoder."""
    width, tokens = 768, 20
    expect("numbers trained", trained, 14 * width**2 + (18 + tokens) * width)
    expect("numbers kept", kept, tokens * width)


@exercise
def ex04_2(likeness, at_words, table):
    """Check the mean cosine between the vectors of a table, and of the table given."""
    from torch import tensor

    expect("two like rows", likeness(tensor([[1.0, 0], [2, 0]])), 1.0, tol=1e-5)
    rows = tensor([[1.0, 0], [0, 3], [-2, 0]])
    expect("cosines 0, -1, 0", likeness(rows), -1 / 3, tol=1e-5)
    expect("at_words", at_words, likeness(table), tol=1e-4)


@exercise
def ex04_3(config, lm, template):
    """Check an encoder config whose table starts at the words."""
    from ...prompts.tuner import PromptTuner

    expect("kind", config.kind, "lstm")
    expect(
        "hidden units, layers", (config.encoder_hidden_size, config.num_layers), (32, 1)
    )
    words = PromptTuner(lm, template).prompt_embeddings()
    table = PromptTuner(lm, template, encoder=config).prompt_embeddings()
    expect("the table at step 0", table, words)


@exercise
def ex04_4(rate_for):
    """Check the search for the rate at which a table moves as far as is asked."""
    rng = np.random.default_rng(0)
    for power in (1.0, *rng.uniform(*POWERS, size=4)):
        rate, move = 10 ** rng.uniform(-5, -0.5), 10 ** rng.uniform(-3, -1)
        measure = _Measure(move / rate**power, power)
        got = measure.move(done(rate_for(measure, move)))
        told = f"asked for a move of {move:.3g}, your rate gives {got:.3g}."
        require(abs(got / move - 1) < NEAR, told)
        told = f"{measure.calls} calls of measure: each one is a training run."
        require(measure.calls <= MOST_CALLS, told)


class _Measure:
    """Stands for a short training run: the table's move at a rate. Counts calls."""

    def __init__(self, kappa: float, power: float):
        self.kappa, self.power, self.calls = kappa, power, 0

    def move(self, rate: float) -> float:
        return self.kappa * rate**self.power

    def __call__(self, rate: float) -> float:
        self.calls += 1
        return self.move(rate)
