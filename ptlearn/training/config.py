"""The settings of a training run: their one home, with their defaults."""

from dataclasses import dataclass

from ..errors import TrainingError

LEARNING_RATES = {
    "none": 0.03,
    "mlp": 1e-3,
    "lstm": 1e-3,
    "residual-mlp": 1e-3,
    "residual-lstm": 1e-3,
}
"""Peak rate that ``lr=None`` takes for each encoder."""


@dataclass(frozen=True)
class TrainingConfig:
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
                raise TrainingError(
                    f"{name} must be at least 1, not {getattr(self, name)}"
                )
        if self.lr is not None and not self.lr > 0:
            raise TrainingError(f"lr must be above 0, not {self.lr}")
        if not 0 <= self.warmup < 1:
            raise TrainingError(
                f"warmup is a share of the steps in [0, 1), not {self.warmup}"
            )
        if self.metric not in ("p_at_1", "accuracy"):
            raise TrainingError(
                f'metric must be "p_at_1" or "accuracy", not {self.metric!r}'
            )
