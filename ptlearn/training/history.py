"""What a training run tells afterwards."""

from dataclasses import dataclass, field

import pandas as pd

COLUMNS = ("step", "loss", "lr", "grad_norm", "dev_score", "dev_loss", "seconds")


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
        Why it ended. "done": all steps were taken. "plateau": the dev loss had stopped
        falling, and the rate was lowered to zero. "patience": too many dev evaluations
        without a better score. "interrupted": the stop button. "callback": the callback
        returned True. In the history of a TrainingError "nan" (a number was not
        finite), "out of memory" or "no checkpoint" (it could not be written).
    """

    records: list[dict] = field(default_factory=list)
    best_step: int = 0
    best_score: float | None = None
    stopped: str = "done"

    @property
    def frame(self) -> pd.DataFrame:
        """One line for each step, as a DataFrame.

        Columns: ``step``; ``loss``, the batch's, in nats an example; ``lr``;
        ``grad_norm``, before clipping; ``dev_score``; ``dev_loss``, in nats a row;
        ``seconds`` since the start. The dev columns are empty between evaluations.
        """
        return pd.DataFrame(self.records, columns=list(COLUMNS))

    def __repr__(self) -> str:
        best = "" if self.best_score is None else f", best dev {self.best_score:.3f}"
        return (
            f"History({len(self.records)} steps, {self.stopped}{best}, "
            f"kept step {self.best_step})"
        )
