"""Rows that belong together go to one split."""

from ..errors import DataError
from .rows import columns_of, is_missing, read_rows, require_columns
from .sampling import to_balance, uneven_folds_allowed

CLOSE = 0.05
"""A share counts as met where it is missed by no more, in parts of all rows."""
MOST_FOLDS = 20
"""Whole folds of so many meet any share to a fortieth, half of ``CLOSE``."""


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
    with uneven_folds_allowed():
        parts = list(split.split(answers, to_balance(answers, folds), groups))
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
