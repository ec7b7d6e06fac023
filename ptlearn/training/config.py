"""The settings of a training run: their one home, with their defaults."""

from dataclasses import dataclass, replace
from numbers import Integral, Real

from ..errors import TrainingError

LEARNING_RATES = {
    "none": 0.1,
    "linear": 0.0032,
    "mlp": 0.001,
    "lstm": 0.0032,
    "residual-linear": 0.0032,
    "residual-mlp": 0.01,
    "residual-lstm": 0.01,
}
"""Peak rate that ``lr=None`` takes for each encoder.

Each is the rate whose dev loss, on the worst of the studies' four tasks, lies least
above that of the task's own best rate (data/results/README.md). The linear encoders
and the residual LSTM have no study of their own: they move the table at a step about
as far as the others at theirs.
"""
LONGEST_RUN = 300
"""Most steps of a run that ends when its dev loss no longer falls."""
STEPS_WITHOUT_DEV = 150
"""Steps of a run that nobody gave a number of steps or a dev split."""
LARGEST_SEED = 10**13
"""Larger ones leave no room for the number of the epoch in a 64-bit seed."""
METRICS = ("p_at_1", "accuracy", "loss")
SCHEDULES = ("linear", "plateau")


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of :func:`ptlearn.fit`.

    Parameters
    ----------
    steps : int or None
        Optimiser steps; with ``schedule="plateau"`` the most that are taken. None:
        until the dev loss no longer falls, and 300 at most (``schedule="plateau"``);
        150 where the task has no dev split.
    batch_size : int
        Examples in each step.
    lr : float or None
        Peak learning rate of AdamW; None takes ``LEARNING_RATES`` for the encoder.
    weight_decay : float
        AdamW's weight decay.
    warmup : float
        Share of the steps, in [0, 1), over which the rate rises to its peak.
    schedule : "linear", "plateau" or None
        The rate after warm-up. "linear": falls evenly to zero at the last step.
        "plateau": stays until three dev evaluations in a row have not lowered the dev
        loss by 0.01 nat, then falls to zero over 20 % of the steps so far, and the run
        ends. Needs a dev split. None: "linear" over the `steps` given; see there.
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
        bytes; training and dev rows together. Contexts that do not fit are read anew
        at each step: slower, and the same numbers up to rounding.

    Raises
    ------
    TrainingError
        If a value is not allowed; the message says which are.
    """

    steps: int | None = None
    batch_size: int = 16
    lr: float | None = None
    weight_decay: float = 0.0
    warmup: float = 0.1
    schedule: str | None = None
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

        for name in ("batch_size", "evaluate_every"):
            allow(name, "a whole number, at least 1", _at_least(1))
        for name in ("steps", "patience"):
            allow(name, "a whole number, at least 1, or None", _none_or(_at_least(1)))
        allow("lr", "a number above 0, or None", _none_or(_positive))
        allow("weight_decay", "a number, at least 0", lambda v: v == 0 or _positive(v))
        allow(
            "warmup",
            "a share of the steps, at least 0 and below 1",
            lambda v: isinstance(v, Real) and 0 <= v < 1,
        )
        allow("max_grad_norm", "a number above 0", _positive)
        allow("seed", "a whole number", lambda v: isinstance(v, Integral))
        limits = f"between -{LARGEST_SEED:,} and {LARGEST_SEED:,}"
        allow("seed", limits, lambda v: abs(v) <= LARGEST_SEED)
        allow("kv_cache_bytes", "a whole number, at least 0", _at_least(0))
        allow("metric", _one_of(METRICS), METRICS.__contains__)
        allow(
            "schedule",
            f"{_one_of(SCHEDULES)}, or None",
            _none_or(SCHEDULES.__contains__),
        )
        # torch and JSON take no whole numbers of NumPy.
        object.__setattr__(self, "seed", int(self.seed))

    def resolve(self, encoder: str, *, has_dev: bool) -> "TrainingConfig":
        """Return the settings with what was left open filled in.

        Parameters
        ----------
        encoder : str
            Name of the encoder: a key of ``LEARNING_RATES``.
        has_dev : bool
            Whether the task has dev rows to watch.
        """
        ends_itself = self.steps is None and self.schedule is None and has_dev
        schedule = self.schedule or ("plateau" if ends_itself else "linear")
        most = LONGEST_RUN if schedule == "plateau" else STEPS_WITHOUT_DEV
        return replace(
            self,
            steps=self.steps or most,
            schedule=schedule,
            lr=self.lr or LEARNING_RATES[encoder],
        )


def _one_of(names: tuple[str, ...]) -> str:
    return " or ".join(f'"{name}"' for name in names)


def _none_or(is_allowed):
    return lambda value: value is None or is_allowed(value)


def _at_least(least: int):
    return lambda value: isinstance(value, Integral) and value >= least


def _positive(value) -> bool:
    return isinstance(value, Real) and 0 < value < float("inf")
