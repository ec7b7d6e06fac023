"""The bank of questions: read from ``class/questions.yml``, written as a page."""

import random
from dataclasses import dataclass
from pathlib import Path

import yaml

from ...errors import CourseError
from ...files import REPOSITORY

BANK = REPOSITORY / "class" / "questions.yml"
LETTERS = "ABCDE"


@dataclass(frozen=True)
class Option:
    """One way to answer; ``reveals`` is the mistake behind it, "" where it is right."""

    says: str
    reveals: str = ""


@dataclass(frozen=True)
class Question:
    """A question of understanding.

    Attributes
    ----------
    id : str
        A speaking name.
    lesson : str
        The two digits of its lesson.
    ask : str
        The question.
    answer : str
        What a good answer says and why.
    options : tuple of Option
        To choose from, the right one among them; or, for an open question, wrong
        answers that are often heard.
    """

    id: str
    lesson: str
    ask: str
    answer: str
    options: tuple[Option, ...]

    @property
    def is_open(self) -> bool:
        """Whether the question is asked without options."""
        return all(option.reveals for option in self.options)


def read_bank(path: Path = BANK) -> list[Question]:
    """Read the questions; the order of the options is drawn, by the question's id.

    Raises
    ------
    CourseError
        If one has other fields than it should.
    """
    found = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        try:
            options = [Option(**option) for option in entry.pop("options")]
            if not all(option.reveals for option in options):
                # Whoever writes a question puts the right answer into the middle.
                random.Random(entry["id"]).shuffle(options)
            found.append(Question(options=tuple(options), **entry))
        except (TypeError, KeyError) as error:
            raise CourseError(f"{path.name}, {entry.get('id')}: {error}") from error
    return found


def page(bank: list[Question], titles: dict[str, str]) -> str:
    """Write the bank as a page in Markdown, lesson by lesson, answers folded.

    Parameters
    ----------
    bank : list of Question
        In the order of the lessons.
    titles : dict
        Of the lessons, by their two digits.
    """
    lines, lesson = [], ""
    for number, one in enumerate(bank, 1):
        if one.lesson != lesson:
            lesson = one.lesson
            lines.append(f"## {titles[lesson]}")
        lines.append(f"### Question {number}\n\n{one.ask.strip()}")
        lines.append(_open(one) if one.is_open else _choice(one))
    return "\n\n".join(lines)


def _choice(one: Question) -> str:
    lettered = list(zip(LETTERS, one.options, strict=False))
    asked = "\n".join(f"- **{letter}.** {option.says}" for letter, option in lettered)
    right = next(letter for letter, option in lettered if not option.reveals)
    wrong = [f"- **{a}** shows: {o.reveals}" for a, o in lettered if o.reveals]
    return f"{asked}\n\n{_fold(f'**{right}.** {one.answer.strip()}', wrong)}"


def _open(one: Question) -> str:
    heard = [f"- “{o.says}” shows: {o.reveals}" for o in one.options]
    return _fold(one.answer.strip(), heard)


def _fold(answer: str, mistakes: list[str]) -> str:
    told = "\n".join(mistakes)
    return (
        "<details><summary>Answer, and what a wrong one shows</summary>\n\n"
        f"{answer}\n\n{told}\n\n</details>"
    )
