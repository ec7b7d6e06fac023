"""Plans for a course: times are computed from the lessons' own.

A lesson in class takes its study time, less the minutes of the exercises that are not
done there. Talks and breaks are the plan's own.
"""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ...errors import CourseError
from ...files import REPOSITORY
from . import notebooks

PLANS = REPOSITORY / "class" / "plans.yml"


@dataclass(frozen=True)
class Item:
    """A line of a plan.

    Attributes
    ----------
    what : str
        In words.
    in_class, at_home : int
        Minutes.
    lesson : str
        Its two digits, or "".
    exercises : tuple of int
        Those that are done here.
    """

    what: str
    in_class: int = 0
    at_home: int = 0
    lesson: str = ""
    exercises: tuple[int, ...] = ()


@dataclass
class Day:
    """A day of class, or a week with one session."""

    name: str
    at_most: int  # minutes in class, breaks included
    items: list[Item] = field(default_factory=list)

    def minutes(self, where: str) -> int:
        """Return the sum over the items, ``where`` is "in_class" or "at_home"."""
        return sum(getattr(item, where) for item in self.items)


def read_plans(path: Path = PLANS) -> dict[str, list[Day]]:
    """Read the plans by their names, with the times of the lessons put in.

    Raises
    ------
    CourseError
        If a line of a plan is not understood.
    """
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {
        name: [
            Day(day["name"], day["at most"], [_item(line) for line in day["items"]])
            for day in days
        ]
        for name, days in written.items()
    }


def _item(line: dict) -> Item:
    if "talk" in line:
        return Item(line["talk"], in_class=line["minutes"])
    if "break" in line:
        return Item("Break", in_class=line["break"])
    place = "class" if "class" in line else "home"
    if place not in line:
        raise CourseError(f"A line of a plan that nobody understands: {line}.")
    notebook, _ = notebooks.read(line[place])
    all_ = {one.number: one.minutes for one in notebooks.exercises(notebook)}
    done = tuple(line.get("exercises", all_))
    minutes = sum(all_[number] for number in done)
    if not line.get("only exercises"):
        minutes += notebooks.study_minutes(notebook) - sum(all_.values())
    what = _words(line[place], done, len(all_), bool(line.get("only exercises")))
    where = {"class": "in_class", "home": "at_home"}[place]
    return Item(what, lesson=line[place], exercises=done, **{where: minutes})


def _words(lesson: str, done: tuple[int, ...], number: int, only: bool) -> str:
    named = ", ".join(f"{lesson}.{one}" for one in done)
    if only:
        return f"Exercises {named}" if len(done) > 1 else f"Exercise {named}"
    if len(done) == number:
        return f"Lesson {lesson}, whole"
    if not done:
        return f"Lesson {lesson} without its exercises"
    return f"Lesson {lesson}, of its exercises only {named}"


def tables(days: list[Day]) -> str:
    """Write a plan in Markdown: a table a day, the sums in its last line."""
    return "\n\n".join(map(_table, days))


def _table(day: Day) -> str:
    lines = [f"| {day.name} | minutes in class | minutes at home |", "|---|---|---|"]
    lines += [
        f"| {item.what} | {item.in_class or ''} | {item.at_home or ''} |"
        for item in day.items
    ]
    sums = day.minutes("in_class"), day.minutes("at_home")
    return "\n".join([*lines, f"| **Together** | **{sums[0]}** | **{sums[1]}** |"])
