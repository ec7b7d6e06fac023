"""The dev split, scored again and again while a run goes on."""

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast

from ..evaluation.report import Report
from ..forward import scoring
from ..forward.kv_cache import ContextCache
from ..prompts.tuner import PromptTuner
from ..tasks.task import Task
from .config import TrainingConfig

EVALUATION_BATCH = 64
"""Rows scored together, where training takes fewer ..."""
EVALUATION_TOKENS = 4096
"""... as long as they have no more tokens than this, or memory would run out."""


class DevSplit:
    """Scores a tuner on a task's dev rows; a task without them has no scores.

    Attributes
    ----------
    examples : list of Example
        The dev rows, tokenised; empty without a dev split.
    batch_size : int
        Rows scored together; without gradients more fit into memory than in training.
    context_cache : ContextCache or None
        Keeps frozen contexts from one evaluation to the next.
    """

    def __init__(
        self,
        tuner: PromptTuner,
        task: Task,
        config: TrainingConfig,
        accelerator: Accelerator,
    ):
        self.tuner, self.config, self.accelerator = tuner, config, accelerator
        self.answers = task.answers
        self.rows = scoring.as_rows(task.dev) if "dev" in task.splits else []
        self.examples = [tuner.tokens.encode(row) for row in self.rows]
        if self.rows:
            tuner.tokens.answers_by_ids(self.answers)  # refuses those with equal ids
        longest = max((len(e.ids) for e in self.examples), default=1)
        together = min(EVALUATION_BATCH, EVALUATION_TOKENS // longest)
        self.batch_size = max(config.batch_size, together)
        self.context_cache: ContextCache | None = None

    def evaluate(self) -> tuple[float | None, float | None]:
        """Return the score (``config.metric``) and the loss, in nats a row.

        The first process scores, or the processes could part ways by rounding.
        """
        if not self.rows:
            return None, None
        found = self._score() if self.accelerator.is_main_process else (0.0, 0.0)
        # A process alone has nobody to tell; on MPS, where there is no float64, every
        # process is alone.
        if self.accelerator.num_processes == 1:
            return found
        device = self.accelerator.device
        shared = broadcast(torch.tensor(found, dtype=torch.float64, device=device))
        score, loss = shared.tolist()
        return score, loss

    def _score(self) -> tuple[float, float]:
        options = {"batch_size": self.batch_size, "context_cache": self.context_cache}
        if self.config.metric != "accuracy":
            # No other answer is looked at, which is several times faster.
            own = scoring.score_own(self.tuner, self.examples, **options)
            loss = -own.log_probs.double().mean().item()
            hits = sum(own.hits) / len(self.rows)
            return (hits if self.config.metric == "p_at_1" else -loss), loss
        scores = scoring.score(
            self.tuner, self.rows, self.answers, progress=False, **options
        )
        report = Report.from_scores(self.rows, scores, "dev")
        return report.accuracy, report.loss
