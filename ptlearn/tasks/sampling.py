"""Which rows are taken: few of each answer, an even draw, folds, or rows held out.

Whole groups of rows are drawn in ``groups.py``.
"""

import random
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import DataError

if TYPE_CHECKING:
    from .task import Task

HELD_OUT = 0.1
"""Share of the rows that goes to dev, and as much again to test."""
MAX_DEV, MAX_TEST = 200, 500
"""Scoring more rows takes longer than the closer score is worth."""
MIN_ROWS = 20


def hold_out(task: "Task") -> "Task":
    """Return a copy whose training rows are split into train, dev and test.

    Each row lands in exactly one of them, and the same rows always land in the same.
    Every answer keeps its share, as nearly as whole rows allow. The first row of each
    answer is always learnt: a rare answer may be missing from dev and test, but not
    from train.

    Raises
    ------
    DataError
        If there are fewer than 20 rows, or too few that share their answer.
    """
    rows = task.train
    if len(rows) < MIN_ROWS:
        raise DataError(
            f"{len(rows)} rows are too few to hold some out: at least {MIN_ROWS} are "
            "needed, or dev rows of your own."
        )
    answers, share = list(rows["answer"]), round(HELD_OUT * len(rows))
    first_of = {answer: row for row, answer in reversed(list(enumerate(answers)))}
    free = sorted(set(range(len(rows))) - set(first_of.values()))
    num_dev, num_test = min(share, MAX_DEV), min(share, MAX_TEST)
    if len(free) < num_dev + num_test:
        raise DataError(
            f"{len(first_of)} different answers in {len(rows)} rows leave too few rows "
            "to hold out: give dev rows of your own."
        )
    held_out = _draw(free, answers, num_dev + num_test)
    dev = _draw(held_out, answers, num_dev)
    test = sorted(set(held_out) - set(dev))
    train = sorted(set(range(len(rows))) - set(held_out))
    places = {"train": train, "dev": dev, "test": test}
    splits = {name: rows.select(chosen) for name, chosen in places.items()}
    return replace(task, rows=splits)


def draw_evenly(answers: Sequence[str], n: int) -> list[int]:
    """Draw ``n`` rows, always the same, so that each answer keeps its share.

    Parameters
    ----------
    answers : sequence of str
        The answer of each row.
    n : int
        From 1 to ``len(answers)``.

    Returns
    -------
    list of int
        The numbers of the rows drawn, ascending.
    """
    return _draw(range(len(answers)), answers, n)


def _draw(rows: Sequence[int], answers: Sequence[str], n: int) -> list[int]:
    order = list(rows)
    random.Random(0).shuffle(order)
    order.sort(key=answers.__getitem__)
    # Steps of equal width meet each answer in proportion, the rare ones together.
    return sorted(order[int((i + 0.5) * len(order) / n)] for i in range(n))


def few_rows(task: "Task", n: int, seed: int) -> "Task":
    """Return a copy with ``n`` rows to learn and ``n`` others to choose by.

    Both are drawn from the train split, with as many rows of each answer as of any
    other, up to rounding: which answers get a row more, ``seed`` draws. Rows to learn
    and rows to choose by have the same answers, as long as enough answers have two
    rows. This is the few-shot setting of Liu et al. 2021, version 1, section 4.3:
    nothing else is known of the task. The test split stays.

    Raises
    ------
    DataError
        If ``n`` is below 1, or the train split has fewer than ``2 * n`` rows that can
        be drawn evenly.
    """
    if n < 1:
        raise DataError(f"n must be 1 or more, not {n}.")
    answers = list(task.train["answer"])
    pairs = _draw_pairs(answers, n, seed)
    if len(pairs) < n:
        raise DataError(
            f"task {task.name} has {len(answers)} training rows: {2 * n} cannot be "
            "drawn with as many of each answer."
        )
    rows = {}
    for name, chosen in zip(("train", "dev"), zip(*pairs, strict=True), strict=True):
        rows[name] = task.train.select(sorted(chosen, key=answers.__getitem__))
    return replace(task, rows=task.rows | rows)


def _draw_pairs(answers: list[str], n: int, seed: int) -> list[tuple[int, int]]:
    """Draw up to ``n`` pairs of a row to learn and one to choose by.

    The answers take turns: each gives one pair, in an order drawn by the seed, then
    each a second one, until there are enough.
    """
    turns = sorted(set(answers))
    random.Random(seed).shuffle(turns)
    rounds = -(-n // len(turns))
    drawn = {answer: [] for answer in turns}
    for row in draw_few(answers, 2 * rounds, seed):
        drawn[answers[row]].append(row)
    pairs = [
        (rows[place], rows[place + 1])
        for place in range(0, 2 * rounds, 2)
        for rows in drawn.values()
        if place + 1 < len(rows)
    ]
    # The odd rows of two answers make a pair where there are too few of one answer.
    odd = [rows[-1] for rows in drawn.values() if len(rows) % 2]
    pairs += zip(odd[::2], odd[1::2], strict=False)
    return pairs[:n]


def cv_split(task: "Task", fold: int, *, of: int = 5) -> "Task":
    """Return a copy split anew for cross-validation.

    All rows of all splits are shared out over ``of`` folds, always in the same way.
    Fold number ``fold`` becomes the test split, the one after it dev, and the others
    train. So over all folds each row is a test row once. Answers are balanced, unless
    each of them has fewer rows than there are folds.

    Parameters
    ----------
    task : Task
    fold : int
        From 0 to ``of - 1``.
    of : int
        Number of folds, at least 3.

    Raises
    ------
    DataError
        If there are too few folds, no such fold, or fewer rows than folds.
    """
    from datasets import concatenate_datasets

    if of < 3 or not 0 <= fold < of:
        raise DataError(
            f"there must be at least 3 folds, and fold must be one of them, from 0 on: "
            f"not fold {fold} of {of}."
        )
    pooled = concatenate_datasets([task.rows[name] for name in task.rows])
    if len(pooled) < of:
        raise DataError(f"{len(pooled)} rows cannot make {of} folds.")
    folds = _draw_folds(list(pooled["answer"]), of)
    dev = (fold + 1) % of
    rest = [row for i, rows in enumerate(folds) if i not in (fold, dev) for row in rows]
    parts = {"train": sorted(rest), "dev": folds[dev], "test": folds[fold]}
    rows = {name: pooled.select(chosen) for name, chosen in parts.items()}
    return replace(task, rows=rows)


def _draw_folds(answers: list[str], of: int) -> list[list[int]]:
    from sklearn.model_selection import StratifiedKFold

    split = StratifiedKFold(of, shuffle=True, random_state=0)
    with uneven_folds_allowed():
        parts = list(split.split(answers, to_balance(answers, of)))
    return [test.tolist() for _, test in parts]


def to_balance(answers: list[str], folds: int) -> list[str]:
    """Return the answers to balance; all alike if none can be in every fold.

    scikit-learn refuses to balance answers that all have fewer rows than folds.
    """
    if max(Counter(answers).values()) >= folds:
        return answers
    return ["any"] * len(answers)


@contextmanager
def uneven_folds_allowed() -> Iterator[None]:
    """Silence scikit-learn where an answer has fewer rows than there are folds.

    Many countries have. Nothing follows from it: the folds are as even as they can be.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        yield


def draw_few(answers: Sequence[str], per_answer: int, seed: int) -> list[int]:
    """Draw up to ``per_answer`` rows of each answer; return their numbers as drawn."""
    order = list(range(len(answers)))
    random.Random(seed).shuffle(order)
    taken, drawn = Counter(), []
    for row in order:
        if taken[answers[row]] < per_answer:
            taken[answers[row]] += 1
            drawn.append(row)
    return drawn
