"""A prediction is laid beside what came."""

import pytest

from ptlearn.course import predictions
from ptlearn.errors import CourseError


@pytest.fixture
def shown(monkeypatch):
    """Lay a prediction beside what came; give the table as lists."""

    def run(predicted, came):
        tables = []
        monkeypatch.setattr("IPython.display.display", tables.append)
        predictions.beside(predicted, came)
        (table,) = tables
        return {name: list(table.loc[name]) for name in table.index}

    return run


@pytest.mark.parametrize(
    ("guess", "came", "line"),
    [
        (0.5, 0.34247, ["0.5", "0.342", "+0.158"]),
        (3, 7, ["3", "7", "-4"]),
        (1, 0.25, ["1", "0.25", "+0.75"]),
        (100_000, 134_515_008, ["100,000", "134,515,008", "-134,415,008"]),
        ("Paris", "Paris", ["Paris", "Paris", ""]),
        (True, False, ["True", "False", ""]),
        (..., 0.5, ["none yet", "0.5", ""]),
        ("a third", 0.5, ["a third", "0.5", ""]),
    ],
)
def test_each_kind_of_prediction(shown, guess, came, line):
    assert shown({"it": guess}, {"it": came}) == {"it": line}


def test_lines_stand_in_the_order_of_what_came(shown):
    assert list(shown({"b": ..., "a": 1}, {"a": 2, "b": 3})) == ["a", "b"]


def test_a_changed_name_is_told():
    with pytest.raises(CourseError, match="Change only what stands after the colons"):
        predictions.beside({"wurst": 1}, {"worst": 1})
