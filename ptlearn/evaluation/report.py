"""How good a prompt is: its scores on the rows of a task, with intervals."""

from dataclasses import dataclass, replace

import pandas as pd
from scipy.stats import binomtest

from ..forward import scoring
from ..prompts.prompt import Prompt
from ..prompts.tuner import PromptTuner
from ..tasks.task import Task
from .calibration import answer_table, calibrate, check_method

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Report:
    """What one prompt scored on one split.

    Attributes
    ----------
    rows : DataFrame
        One line for each row: the task's columns, then ``predicted`` (the best of the
        task's answers), ``correct``, ``hit`` (strict P@1) and ``log_prob`` (of the
        row's own answer, natural logarithm, summed over its tokens). If the task has a
        column with one of these four names, it is kept as ``"hit (input)"``.
    split : str
    """

    rows: pd.DataFrame
    split: str

    @classmethod
    def from_scores(
        cls, rows: list[dict], scores: scoring.Scores, split: str
    ) -> "Report":
        """Put a prompt's scores beside the rows that it was scored on."""
        right = [str(row["answer"]) for row in rows]
        results = {
            "predicted": scores.predicted,
            "correct": [p == r for p, r in zip(scores.predicted, right, strict=True)],
            "hit": scores.hit,
            "log_prob": scores.gold_log_prob,
        }
        aside = {name: f"{name} (input)" for name in results}
        return cls(pd.DataFrame(rows).rename(columns=aside).assign(**results), split)

    @property
    def n(self) -> int:
        """The number of rows scored."""
        return len(self.rows)

    @property
    def p_at_1(self) -> float:
        """Share of rows whose answer is the argmax over the whole vocabulary."""
        return float(self.rows["hit"].mean())

    @property
    def accuracy(self) -> float:
        """Share of rows whose answer is the best of the task's answers."""
        return float(self.rows["correct"].mean())

    @property
    def loss(self) -> float:
        """Minus the mean log-probability of the answers, in nats."""
        return float(-self.rows["log_prob"].mean())

    @property
    def p_at_1_interval(self) -> tuple[float, float]:
        """95 % interval of :attr:`p_at_1` (Wilson) over other rows like these."""
        return wilson_interval(int(self.rows["hit"].sum()), self.n)

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % interval of :attr:`accuracy` (Wilson) over other rows like these."""
        return wilson_interval(int(self.rows["correct"].sum()), self.n)

    def __repr__(self) -> str:
        low, high = self.p_at_1_interval
        below, above = self.accuracy_interval
        return (
            f"Report({self.split}, n={self.n}, "
            f"p_at_1={self.p_at_1:.3f} [{low:.3f}, {high:.3f}], "
            f"accuracy={self.accuracy:.3f} [{below:.3f}, {above:.3f}])"
        )


def wilson_interval(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of the share ``hits / n``, by Wilson's score."""
    interval = binomtest(hits, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def evaluate(
    prompted: Prompt | PromptTuner,
    task: Task,
    *,
    split: str = "test",
    calibration: str | None = None,
    batch_size: int = 16,
    progress: bool = True,
) -> Report:
    """Score a hand-written, tuned or folded prompt on a split of a task.

    P@1 is strict: every token of the answer must be the most probable one of the whole
    vocabulary, the tokens before it being given. A masked model is given as many masks
    as the right answer has tokens. Accuracy chooses among ``task.answers`` by
    log-probability, which is easier: a guess is right once in ``len(task.answers)``.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
        A tuner is scored as it would be after folding: without dropout.
    split : "train", "dev" or "test"
    calibration : "contextual", "pmi", "length" or None
        What is done to the answers' log-probabilities before the best is taken; see
        :func:`ptlearn.evaluation.calibrate`. It takes a second pass, and changes
        ``predicted`` and the accuracy, not P@1 and ``log_prob``.

    Raises
    ------
    DataError
        If there is no such calibration, if the task has no such split or lacks a column
        of the template (the message names those there are), if a row is too long or an
        answer has no tokens, or if two answers cannot be told apart.
    PromptError
        If the model's logits are NaN or infinite.
    """
    if calibration is not None:
        check_method(calibration)
    rows = scoring.as_rows(task.split(split))
    scores = scoring.score(
        prompted,
        rows,
        task.answers,
        batch_size=batch_size,
        progress=progress,
    )
    if calibration is not None:
        options = {"batch_size": batch_size, "progress": progress}
        table = answer_table(prompted, rows, task.answers, **options)
        best = calibrate(table, prompted, calibration).idxmax(axis=1)
        scores = replace(scores, predicted=best.tolist())
    return Report.from_scores(rows, scores, split)
