"""Rows in batches of like length, and the bar that shows how far they are."""

import os
from collections.abc import Iterable, Sequence
from numbers import Integral

from tqdm.auto import tqdm

from ..errors import DataError

SHOW_PROGRESS_AFTER = 2.0
"""Seconds of work before a progress bar appears."""


def batches_by_length(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Put row numbers into batches of like length, so that little is padding.

    Raises
    ------
    DataError
        If ``batch_size`` is not allowed.
    """
    check_at_least_one("batch_size", batch_size)
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def check_at_least_one(name: str, value: int) -> None:
    """Raise DataError if ``value`` is not a whole number above 0."""
    if not isinstance(value, Integral) or value < 1:
        raise DataError(f"{name} must be a whole number, at least 1, not {value!r}")


def batches_with_bar(
    lengths: Sequence[int], batch_size: int, progress: bool
) -> Iterable[list[int]]:
    """Yield :func:`batches_by_length`, with a bar where that takes long."""
    return tqdm(
        batches_by_length(lengths, batch_size),
        desc="scoring",
        unit="batch",
        delay=SHOW_PROGRESS_AFTER,
        leave=False,
        disable=no_bar(progress),
    )


def no_bar(progress: bool) -> bool | None:
    """Return tqdm's ``disable``: True, or None for "only where somebody looks".

    tqdm itself heeds TQDM_DISABLE on a terminal but not in a notebook, and a notebook
    that is run to be stored would keep the bars for ever.
    """
    silenced = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return True if silenced or not progress else None
