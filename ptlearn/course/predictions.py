"""Predictions: what the learner wrote down, laid beside what came.

A cell tagged ``prediction`` holds a dictionary with ``...`` to fill in; the next code
cell runs the experiment and calls :func:`beside`. The notebook runs with the stub, too.
"""

from collections.abc import Mapping
from numbers import Real

from ..errors import CourseError

NONE_YET = "none yet"


def beside(predicted: Mapping[str, object], came: Mapping[str, object]) -> None:
    """Show a table: what was predicted, what came and, for numbers, the difference.

    Parameters
    ----------
    predicted : mapping
        What the learner wrote, ``...`` where nothing was.
    came : mapping
        What the cell found, under the same names.

    Raises
    ------
    CourseError
        If the two do not have the same names.
    """
    import pandas as pd
    from IPython.display import display

    if set(predicted) != set(came):
        names = ", ".join(map(repr, came))
        raise CourseError(
            f"the prediction has the names {', '.join(map(repr, predicted))}; it "
            f"needs {names}. Change only what stands after the colons."
        )
    lines = [_line(name, predicted[name], came[name]) for name in came]
    columns = ["", "you predicted", "what came", "off by"]
    display(pd.DataFrame(lines, columns=columns).set_index("").rename_axis(None))


def _line(name: str, guess, found) -> tuple[str, str, str, str]:
    numbers = _is_number(guess) and _is_number(found)
    off = _write(guess - found, "+") if numbers else ""
    return name, NONE_YET if guess is ... else _write(guess), _write(found), off


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _write(value, sign: str = "") -> str:
    if _is_number(value):
        return f"{value:{sign},.3g}" if isinstance(value, float) else f"{value:{sign},}"
    return str(value)
