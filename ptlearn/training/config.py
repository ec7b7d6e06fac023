"""The settings of a training run: their one home, with their defaults."""

from dataclasses import dataclass
from numbers import Integral, Real

from ..errors import TrainingError

LEARNING_RATES = {
    "none": 0.03,
    "linear": 1e-3,
    "mlp": 1e-3,
    "lstm": 1e-3,
    "residual-linear": 1e-3,
    "residual-mlp": 1e-3,
    "residual-lstm": 1e-3,
}
"""Peak rate that ``lr=None`` takes for each encoder."""
METRICS = ("p_at_1", "accuracy", "loss")
SCHEDULES = ("linear", "plateau")


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of :func:`ptlearn.fit`.

    Parameters
    ----------
    steps : int
        Optimiser steps; with ``schedule="plateau"`` the most that are taken.
    batch_size : int
        Examples in each step.
    lr : float or None
        Peak learning rate of AdamW; None takes ``LEARNING_RATES`` for the encoder.
    weight_decay : float
        AdamW's weight decay.
    warmup : float
        Share of the steps, in [0, 1), over which the rate rises to its peak.
    schedule : "linear" or "plateau"
        The rate after warm-up. "linear": falls evenly to zero at the last step.
        "plateau": stays until three dev evaluations in a row have not lowered the dev
        loss by 0.01 nat, then falls to zero over 20 % of the steps so far, and the run
        ends. Needs a dev split.
    max_grad_norm : float
        A longer gradient is scaled down to this norm.
    evaluate_every : int
        Steps between dev evaluations.
    patience : int or None
        Stop after this many dev evaluations without a better score; None: never.
    metric : "p_at_1", "accuracy" or "loss"
        What chooses the parameters to end with: a dev score, or the lowest dev loss
        (the ``dev_score`` of the history is then minus the dev loss).
    seed : int
        For the order of the examples and the encoder's dropout.
    kv_cache_bytes : int
        Memory for keys and values of frozen contexts that are kept between steps, in
        bytes; training and dev rows together. It changes the speed and no result.

    Raises
    ------
    TrainingError
        If a value is not allowed; the message says which are.
    """

    steps: int = 150
    batch_size: int = 16
    lr: float | None = None
    weight_decay: float = 0.0
    warmup: float = 0.1
    schedule: str = "linear"
    max_grad_norm: float = 1.0
    evaluate_every: int = 25
    patience: int | None = None
    metric: str = "p_at_1"
    seed: int = 0
    kv_cache_bytes: int = 2**30

    def __post_init__(self):
        def allow(name: str, allowed: str, is_allowed) -> None:
            value = getattr(self, name)
            if not is_allowed(value):
                raise TrainingError(f"{name} must be {allowed}, not {value!r}")

        for name in ("steps", "batch_size", "evaluate_every"):
            allow(name, "a whole number, at least 1", _at_least(1))
        allow("lr", "a number above 0, or None", lambda v: v is None or _positive(v))
        allow("weight_decay", "a number, at least 0", lambda v: v == 0 or _positive(v))
        allow(
            "warmup",
            "a share of the steps, at least 0 and below 1",
            lambda v: isinstance(v, Real) and 0 <= v < 1,
        )
        allow("max_grad_norm", "a number above 0", _positive)
        allow(
            "patience",
            "a whole number, at least 1, or None",
            lambda v: v is None or _at_least(1)(v),
        )
        allow("seed", "a whole number", lambda v: isinstance(v, Integral))
        allow("kv_cache_bytes", "a whole number, at least 0", _at_least(0))
        for name, names in (("metric", METRICS), ("schedule", SCHEDULES)):
            allow(name, " or ".join(f'"{n}"' for n in names), names.__contains__)


def _at_least(least: int):
    return lambda value: isinstance(value, Integral) and value >= least


def _positive(value) -> bool:
    return isinstance(value, Real) and 0 < value < float("inf")
