"""How an exercise is checked: the check speaks, and it never stops a notebook.

A check prints "passes", "not done yet", or what it tried and what it got. It does not
print the value it wanted, which a learner could copy. An error inside it, or inside
the learner's function, is printed as well, not raised.
"""

import functools
from collections.abc import Callable, Mapping
from numbers import Number

import numpy as np


class _NotDone(Exception):
    """A ``...`` is still there."""


class _Wrong(Exception):
    """The answer is not right; the message says in what."""


def exercise(function: Callable[..., None]) -> Callable[..., None]:
    """Make a check out of a function named ``exLL_N`` that calls :func:`expect`."""
    lesson, number = function.__name__.removeprefix("ex").split("_")
    label = f"Exercise {lesson}.{number}"

    @functools.wraps(function)
    def check(*args, **kwargs) -> None:
        try:
            for value in (*args, *kwargs.values()):
                done(value)
            function(*args, **kwargs)
        except _NotDone:
            print(f"{label}: not done yet. Replace the ... and run the cell again.")
        except _Wrong as wrong:
            print(f"{label}: not right yet. {wrong}")
        except Exception as error:  # a learner's code may raise anything
            print(f"{label}: stopped by {type(error).__name__}: {error}")
        else:
            print(f"{label}: passes.")

    return check


def expect(what: str, got, want, *, tol: float = 0.0) -> None:
    """Compare what the learner gave with what is right; the latter is never printed.

    Parameters
    ----------
    what : str
        Names the value in the message; say here which input was tried.
    got, want
        Numbers, tensors, arrays and series must have one shape and may differ by
        ``tol``; anything else must be equal.
    """
    done(got)
    if not _is_numeric(want):
        require(type(got) is type(want) or got == want, _kind(what, got, want))
        require(got == want, f"{what}: got {got!r}.")
        return
    found, wanted = _as_array(got), _as_array(want)
    if wanted.ndim == 0 and (found.ndim or not np.issubdtype(found.dtype, np.number)):
        shown = f"{found.shape} numbers" if found.ndim else repr(got)
        raise _Wrong(f"{what}: got {shown}, wanted one number.")
    if found.shape != wanted.shape:
        raise _Wrong(f"{what}: got shape {found.shape}, wanted {wanted.shape}.")
    if not np.issubdtype(wanted.dtype, np.number):
        same = np.array_equal(found, wanted)
    else:
        same = np.allclose(found, wanted, rtol=0, atol=tol)
    require(same, f"{what}: got {_short(found)}.")


def require(holds: bool, message: str) -> None:
    """Go on if ``holds``; otherwise the check says "not right yet" and ``message``.

    For what is not one value to compare, and to name a mistake that many make.
    """
    if not holds:
        raise _Wrong(message)


def done(value):
    """Give ``value`` back; if a ``...`` is left in it, the exercise is not done yet.

    ``expect`` asks this itself. A check that first computes with what the learner's
    function returned asks it here.
    """
    inside = ()
    if isinstance(value, list | tuple | set):
        inside = value
    elif isinstance(value, Mapping):
        inside = value.values()
    if value is ... or any(item is ... for item in inside):
        raise _NotDone
    return value


def _kind(what: str, got, want) -> str:
    return f"{what}: got {got!r}, wanted a value of type {type(want).__name__}."


def _is_numeric(value) -> bool:
    """Whether ``value`` is a number or an array; a boolean is neither."""
    if hasattr(value, "shape"):
        return _as_array(value).ndim > 0 or not isinstance(value, np.bool_)
    return isinstance(value, Number) and not isinstance(value, bool)


def _as_array(value) -> np.ndarray:
    if hasattr(value, "detach"):  # a tensor, perhaps on a GPU or with gradient
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value
    return np.asarray(value)


def _short(array: np.ndarray) -> str:
    if array.ndim == 0:
        return repr(array.item())
    return np.array2string(array, precision=4, threshold=8, separator=", ")
