"""What a training run is told, and what it tells afterwards."""

from dataclasses import dataclass, field

import pandas as pd

LEARNING_RATES = {
    "none": 0.03,
    "mlp": 1e-3,
    "lstm": 1e-3,
    "residual-mlp": 1e-3,
    "residual-lstm": 1e-3,
}
"""Peak rate that ``lr=None`` takes for each encoder."""


class TrainingError(RuntimeError):
    """Training could not go on; the tuner holds the last good state.

    Attributes
    ----------
    history : History or None
        What was recorded up to there.
    """

    def __init__(self, message: str, history: "History | None" = None):
        super().__init__(message)
        self.history = history


@dataclass(frozen=True)
class FitConfig:
    """The settings of :func:`fit`, which explains them."""

    steps: int = 150
    batch_size: int = 16
    lr: float | None = None
    weight_decay: float = 0.0
    warmup: float = 0.1
    max_grad_norm: float = 1.0
    evaluate_every: int = 25
    patience: int | None = None
    metric: str = "p_at_1"
    seed: int = 0
    context_bytes: int = 2**30

    def __post_init__(self):
        for name in ("steps", "batch_size", "evaluate_every"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, not {getattr(self, name)}"
                )
        if self.lr is not None and not self.lr > 0:
            raise ValueError(f"lr must be above 0, not {self.lr}")
        if not 0 <= self.warmup < 1:
            raise ValueError(
                f"warmup is a share of the steps in [0, 1), not {self.warmup}"
            )
        if self.metric not in ("p_at_1", "accuracy"):
            raise ValueError(
                f'metric must be "p_at_1" or "accuracy", not {self.metric!r}'
            )


@dataclass
class History:
    """What happened in training.

    Attributes
    ----------
    records : list of dict
        One for each step; :attr:`frame` is the table of them.
    best_step : int
        The step whose parameters the tuner ended with; 0 is before training.
    best_score : float or None
        Its dev score; None without a dev split.
    stopped : str
        Why it ended: "done", "patience", "interrupted" or "nan".
    """

    records: list[dict] = field(default_factory=list)
    best_step: int = 0
    best_score: float | None = None
    stopped: str = "done"

    @property
    def frame(self) -> pd.DataFrame:
        """Columns step, loss (nats an example), lr, grad_norm, dev_score, seconds."""
        columns = ["step", "loss", "lr", "grad_norm", "dev_score", "seconds"]
        return pd.DataFrame(self.records, columns=columns)

    def __repr__(self) -> str:
        best = "" if self.best_score is None else f", best dev {self.best_score:.3f}"
        return (
            f"History({len(self.records)} steps, {self.stopped}{best}, "
            f"kept step {self.best_step})"
        )
