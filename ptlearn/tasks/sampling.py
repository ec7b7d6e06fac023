"""Which rows are taken: few of each answer, an even draw, folds, or rows held out."""

import random
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import DataError
from .rows import columns_of, is_missing, read_rows, require_columns

if TYPE_CHECKING:
    from .task import Task

HELD_OUT = 0.1
"""Share of the rows that goes to dev, and as much again to test."""
MAX_DEV, MAX_TEST = 200, 500
"""Scoring more rows takes longer than the closer score is worth."""
MIN_ROWS = 20
CLOSE = 0.05
"""A share counts as met where it is missed by no more, in parts of all rows."""
MOST_FOLDS = 20
"""Whole folds of so many meet any share to a fortieth, half of ``CLOSE``."""


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
    other, up to rounding. This is the few-shot setting of Liu et al. 2021, version 1,
    section 4.3: nothing else is known of the task. The test split stays.

    Raises
    ------
    DataError
        If ``n`` is below 1, or the train split has fewer than ``2 * n`` rows that can
        be drawn evenly.
    """
    if n < 1:
        raise DataError(f"n must be 1 or more, not {n}.")
    answers = list(task.train["answer"])
    per_answer = -(-2 * n // len(set(answers)))
    drawn = draw_few(answers, per_answer, seed)
    if len(drawn) < 2 * n:
        raise DataError(
            f"task {task.name} has {len(answers)} training rows: {2 * n} cannot be "
            "drawn with as many of each answer."
        )
    # Every other one of each answer, so that both halves are even.
    drawn = sorted(drawn, key=answers.__getitem__)
    halves = {"train": drawn[::2][:n], "dev": drawn[1::2][:n]}
    rows = {name: task.train.select(chosen) for name, chosen in halves.items()}
    return replace(task, rows=task.rows | rows)


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
    with _uneven_folds_allowed():
        parts = list(split.split(answers, _to_balance(answers, of)))
    return [test.tolist() for _, test in parts]


def _to_balance(answers: list[str], folds: int) -> list[str]:
    """Return the answers to balance; all alike if none can be in every fold.

    scikit-learn refuses to balance answers that all have fewer rows than folds.
    """
    if max(Counter(answers).values()) >= folds:
        return answers
    return ["any"] * len(answers)


@contextmanager
def _uneven_folds_allowed() -> Iterator[None]:
    # scikit-learn warns where an answer has fewer rows than there are folds, as many
    # countries have. Nothing follows from it: the folds are as even as they can be.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        yield


def split_rows(
    rows,
    group: str,
    *,
    answer_column: str = "answer",
    dev: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
) -> dict[str, list[dict]]:
    """Share rows out over train, dev and test, with no group in two of them.

    Rows that belong together, such as all that one customer wrote, go to one split:
    else test rows would be known from training. Answers keep their shares as nearly as
    whole groups allow, unless each answer has fewer rows than there are parts. The
    parts are of equal size, so a share is met to .05 or so: for .3, one part of three
    is held out, for .4, two of five.

    ``Task.from_rows(**split_rows(rows, "customer"))``.

    Parameters
    ----------
    rows : list of dict, DataFrame, Dataset, str or Path
        As :meth:`Task.from_rows` takes them, with a group and an answer in each row.
    group : str
        The column that says what belongs together.
    answer_column : str
    dev, test : float
        Shares of the rows, from .05 to .5, and together less than 1.
    seed : int
        Draws the groups.

    Returns
    -------
    dict of str to list of dict
        Under "train", "dev" and "test", in the order that the rows had.

    Raises
    ------
    DataError
        If there is no such column, a row has no group or answer, a share is not
        allowed, or the groups are too few.
    """
    rows = [dict(row) for row in read_rows(rows, "rows")]
    require_columns([group, answer_column], list(map(str, columns_of(rows))), "rows")
    for name, share in (("dev", dev), ("test", test)):
        if not 0.05 <= share <= 0.5:
            raise DataError(f"{name} must be a share from .05 to .5, not {share}.")
    if dev + test >= 1:
        raise DataError(
            f"dev={dev} and test={test} leave no rows to learn from: together they "
            "must be less than 1."
        )
    for column in (group, answer_column):
        _refuse_missing(rows, column)
    rest, chosen = list(range(len(rows))), {}
    for name, of in (("test", test), ("dev", dev / (1 - test))):
        chosen[name] = _draw_groups(rows, rest, group, answer_column, of, seed)
        rest = sorted(set(rest) - set(chosen[name]))
    parts = {"train": rest, "dev": chosen["dev"], "test": chosen["test"]}
    return {name: [rows[i] for i in places] for name, places in parts.items()}


def _refuse_missing(rows: list[dict], column: str) -> None:
    values = [row.get(column) for row in rows]
    missing = [i for i, v in enumerate(values) if is_missing(v) or not str(v).strip()]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(rows)} rows have nothing in {column!r}; the first "
            f"is row {missing[0]}: fill them in, or drop them."
        )


def _draw_groups(
    rows: list[dict], among: list[int], group: str, answer: str, share: float, seed: int
) -> list[int]:
    """Draw whole groups that hold about this share of the rows."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = [str(rows[i][group]) for i in among]
    num_groups, needed = len(set(groups)), max(2, round(1 / share))
    if num_groups < needed:
        raise DataError(
            f"{num_groups} different values of {group!r} are too few to hold out "
            f"a share of {share:.2f}: at least {needed} are needed."
        )
    folds, taken = _whole_folds(share, num_groups, len(among) / len(rows))
    answers = [str(rows[i][answer]) for i in among]
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with _uneven_folds_allowed():
        parts = list(split.split(answers, _to_balance(answers, folds), groups))
    return sorted(among[i] for _, drawn in parts[:taken] for i in drawn)


def _whole_folds(share: float, num_groups: int, part: float) -> tuple[int, int]:
    """Return how many folds to make, and how many of them hold about this share.

    One fold where that is close, since few large folds are balanced best. Else the
    fewest folds that come nearest. What the folds are made of is itself only a
    ``part`` of all rows.
    """
    folds = round(1 / share)
    if folds > 1 and abs(1 / folds - share) * part <= CLOSE:
        return folds, 1
    choices = [
        (folds, min(max(round(folds * share), 1), folds - 1))
        for folds in range(2, min(MOST_FOLDS, num_groups) + 1)
    ]
    return min(choices, key=lambda choice: abs(choice[1] / choice[0] - share))


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
