"""Which rows are taken: few of each answer, an even draw, or rows held out."""

import random
from collections import Counter
from collections.abc import Sequence
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
