"""What a training run tells afterwards."""

from dataclasses import dataclass, field

import pandas as pd


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
