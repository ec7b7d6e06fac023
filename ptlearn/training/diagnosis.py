"""Why does a prompt not learn? What can be said of it automatically."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from statistics import fmean

import pandas as pd
import torch

from ..errors import DataError
from ..forward import scoring
from ..prompts.prompt import Prompt
from ..prompts.tuner import PromptTuner
from ..tasks.task import Task
from .data_findings import data_findings, usable_answers
from .findings import FAIL, Finding, as_table
from .history import History
from .learning_findings import (
    Loss,
    drawn,
    eight_rows_finding,
    gradient_findings,
    length_finding,
    ordinary_loss,
    rate_finding,
)
from .score_findings import (
    gap_finding,
    level_finding,
    prediction_finding,
    share_on_answers,
)

UNSEEN = (
    "Not seen here: whether the labels are right (shuffled ones are learnt by heart "
    "like true ones, and only fail on other rows), whether a person could answer from "
    "what the template reads, and whether rows of next month look like these. Read "
    "twenty rows with their labels."
)
"""What no check can know; the shell prints it below every diagnosis."""
ROWS, FEW = 64, 8
"""Rows of a split that are scored, drawn so that each answer keeps its share, and
those whose gradient is taken."""


def diagnose(
    prompted: Prompt | PromptTuner,
    task: Task,
    history: History | None = None,
    *,
    answers: Iterable[str] | None = None,
    lr: float | None = None,
    loss: Loss | None = None,
    max_tokens: int | None = None,
    eight_rows: bool = True,
    tell: Callable[[Finding], None] | None = None,
) -> pd.DataFrame:
    """Say what can be said automatically about a prompt and its rows.

    It looks at fields that the template drops, labels that are no candidates, lengths,
    texts that look cut, rows in two splits and inputs with two labels; then, on up to
    64 rows, at each virtual token's gradient, the loss beside its yardsticks, and
    predictions; and it tries to learn eight rows by heart. The prompt stays as it was.
    ``UNSEEN`` says what cannot be seen.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
        Trained or not. A hand-written prompt has no gradient to look at; a folded one
        is looked at through its table, and learns its eight rows without an encoder.
    task : Task
        Its rows, with a train split.
    history : History, optional
        What ``fit`` returned: without it nothing is said about the rate.
    answers : iterable of str, optional
        What predictions are chosen from, if not the prompt's or the task's answers.
    lr : float, optional
        For the eight rows; by default the run's peak, else the encoder's own.
    loss : callable, optional
        ``loss(tuner, rows)`` of a training loop of your own: its gradient and its value
        are looked at instead of those of ``fit``.
    max_tokens : int, optional
        Your budget for a row; by default the model's context window.
    eight_rows : bool
        False leaves out the eight rows, which take the most time.
    tell : callable, optional
        Gets each :class:`Finding` as soon as it is made.

    Returns
    -------
    DataFrame
        ``check``, ``state`` ("OK", "LOOK": it may be as you want it, "FAIL": surely
        wrong), ``found`` and ``what to do``.

    Raises
    ------
    DataError
        If the task has no train split.
    """
    known = prompted.answers or task.answers
    candidates = list(known if answers is None else map(str, answers))
    made = chain(
        data_findings(prompted, task, candidates, max_tokens),
        _trial_findings(prompted, task, candidates, history, lr, loss, eight_rows),
    )
    found = []
    for finding in made:
        found.append(finding)
        if tell is not None:
            tell(finding)
    return as_table(found)


def _trial_findings(
    prompted, task, candidates, history, lr, loss, eight_rows
) -> Iterator[Finding]:
    """Yield what a few passes and a few steps show, where rows can be read."""
    if not set(prompted.template.fields) <= set(task.inputs):
        return  # no row can be read
    if not usable_answers(prompted, candidates):
        return  # nothing can be predicted, which was said
    train = _readable(prompted, drawn(task, "train", ROWS), candidates)
    dev = "dev" in task.splits and drawn(task, "dev", ROWS)
    dev = dev and _readable(prompted, dev, candidates)
    held, split = (dev, "dev") if dev else (train, "train")
    if not train:
        return  # every row is too long, which was said
    tuner = _as_tuner(prompted)
    if tuner is not None:
        table = length_finding(tuner)
        yield table
        if table.state == FAIL:
            return  # numbers that are not finite: nothing can be scored
        yield from gradient_findings(tuner, train[:FEW], loss or ordinary_loss)
        if history is not None and history.records:
            yield rate_finding(tuner, history)
            lr = lr or float(history.frame["lr"].max())
        if eight_rows:
            yield eight_rows_finding(tuner, task.with_rows(train=train), lr)
    scores = scoring.score(prompted, held, candidates, progress=False)
    lost = -fmean(scores.gold_log_prob)
    yield level_finding(lost, held, split, share_on_answers(prompted, held))
    if dev:
        learnt = -prompted.answer_log_probs(train).mean().item()
        yield gap_finding(learnt, lost, dev)
    yield prediction_finding(scores.predicted, held, split)


def _readable(
    prompted: Prompt | PromptTuner, rows: list[dict], candidates: list[str]
) -> list[dict]:
    """Leave out rows that are too long for the model, with whichever answer."""
    longest = max(candidates, key=lambda one: len(prompted.tokens.answer_ids(one)))
    kept = []
    for row in rows:
        try:
            prompted.tokens.encode(row)
            prompted.tokens.encode(row, longest)
        except DataError:
            continue
        kept.append(row)
    return kept


def _as_tuner(prompted: Prompt | PromptTuner) -> PromptTuner | None:
    """Return a tuner whose table can be looked at; None where there is none."""
    if isinstance(prompted, PromptTuner):
        return prompted
    table = prompted.prompt_embeddings()
    if table is None:
        return None
    tuner = PromptTuner(prompted.lm, prompted.template, init=table)
    with torch.no_grad():  # words in the template would win for their own places
        tuner.encoder.embedding.copy_(table)
    tuner.answers = prompted.answers
    return tuner
