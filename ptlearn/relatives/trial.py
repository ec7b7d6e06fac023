"""A trial: one method on one task, with so many training rows and one seed."""

import random
from dataclasses import dataclass, replace
from functools import cache

from ..errors import StudyError
from ..studies.job import settings_key
from ..tasks.sampling import few_rows
from ..tasks.task import Task, load_task

UNTRAINED = ("best wording", "8 demonstrations")
PROMPTS = {
    "prompt tuning": "none",
    "P-Tuning, LSTM": "lstm",
    "P-Tuning, MLP": "mlp",
}
"""The methods of ``pt.PromptTuner``, with the encoder of each."""
WITH_RATE = (*PROMPTS, "prefix tuning", "LoRA", "full fine-tuning")
"""The methods that gradient steps train."""
PROBE = "linear probe"
METHODS = (*UNTRAINED, *WITH_RATE, PROBE)
SHOTS = 8
MOST_ROWS = 440
"""What "all rows" means for a task that has thousands: about as many as the facts."""
DEV_ROWS = 64
"""Dev rows of a trial with all rows. One with few has as many as it learns from."""


@dataclass(frozen=True)
class Setting:
    """What all methods read on one task.

    Attributes
    ----------
    wording : str
        The best wording by dev rows, which every method reads.
    mixed : str
        The same words with the prompts' virtual tokens among them.
    metric : "p_at_1" or "accuracy"
        What a method is scored by. A linear probe has no vocabulary: accuracy.
    other : str
        The task that shows what a changed model forgets.
    """

    wording: str
    mixed: str
    metric: str
    other: str


SETTINGS = {
    "city_country": Setting(
        "City: {subject}\nCountry: {answer}",
        "[V:2] City: {subject}[V:3]\nCountry: {answer}",
        "p_at_1",
        "movie_sentiment",
    ),
    "movie_sentiment": Setting(
        "Review: {text}\nSentiment: {answer}",
        "Review: {text}[V:4]\nSentiment: {answer}",
        "accuracy",
        "city_country",
    ),
}


@dataclass(frozen=True)
class Trial:
    """One run: everything that decides its numbers.

    The defaults must never change: a key is made of what differs from them.

    Attributes
    ----------
    method : str
        One of ``METHODS``.
    task : str
        One of ``SETTINGS``.
    rows : int
        Training rows; 0 is all of them, of a large task ``MOST_ROWS``.
    seed : int
        Draws the rows, the start, the weights, their order and the demonstrations.
    lr : float or None
        None for a method without a rate.
    score_test : bool
        False for a trial that helps to choose a rate: it sees no test row.
    model : str
    steps, batch_size, evaluate_every
        As in ``fit``, with ``schedule="plateau"`` and the step of the lowest dev loss
        kept: ``steps`` is the most that are taken.
    test_rows, other_rows : int
        Test rows of the task, and of the other task.

    Raises
    ------
    StudyError
        If there is no such method or task, or if a rate is missing or too many.
    """

    method: str
    task: str
    rows: int = 32
    seed: int = 0
    lr: float | None = None
    score_test: bool = True
    model: str = "smollm2-135m"
    steps: int = 80
    batch_size: int = 8
    evaluate_every: int = 10
    test_rows: int = 200
    other_rows: int = 100

    def __post_init__(self):
        for name, known in (("method", METHODS), ("task", tuple(SETTINGS))):
            if (value := getattr(self, name)) not in known:
                raise StudyError(
                    f"{name} must be one of {'; '.join(known)}, not {value!r}"
                )
        if (self.lr is not None) != (self.method in WITH_RATE):
            needs = "needs a learning rate" if self.lr is None else "has no rate"
            raise StudyError(f"{self.method} {needs}; it got lr={self.lr}")

    @property
    def setting(self) -> Setting:
        """What its task asks."""
        return SETTINGS[self.task]

    @property
    def key(self) -> str:
        """What names the trial: 16 hexadecimal digits, hashed from its settings."""
        return _key(self)


@cache
def _key(trial: Trial) -> str:
    return settings_key("trial", trial)


def trial_task(trial: Trial) -> Task:
    """Return the rows of a trial: what it learns from, chooses by and is scored on.

    Few rows are drawn with as many of each answer. A task with more answers than that
    gives a plain random draw, or no answer would be both learnt and chosen by.
    """
    task = load_task(trial.task)
    task = task.head("test", trial.test_rows)
    if not trial.rows:
        most = -(-MOST_ROWS // len(task.answers))
        if len(task.train) > MOST_ROWS:
            task = task.few_shot(most, trial.seed)
        return task.head("dev", DEV_ROWS)
    if len(task.answers) <= trial.rows:
        return few_rows(task, trial.rows, trial.seed)
    order = list(range(len(task.train)))
    random.Random(trial.seed).shuffle(order)
    halves = {
        "train": order[: trial.rows],
        "dev": order[trial.rows : 2 * trial.rows],
    }
    rows = {name: task.train.select(chosen) for name, chosen in halves.items()}
    return replace(task, rows=task.rows | rows)
