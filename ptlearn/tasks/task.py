"""Tasks: rows with an answer, in up to three splits, and wordings to ask with.

``load_task("city_country")`` reads one that ships with the package; ``Task.from_rows``
makes one of your own rows. Every value is text, and the answer is always in the
column ``answer``, so that the rest of the package need not ask where rows came from.
"""

import random
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import PACKAGE, REPOSITORY
from .rows import check_answers, check_inputs, clean, close, dataset

SPLITS = ("train", "dev", "test")
# What other data sets call the split that we call dev.
SPLIT_NAMES = {name: name for name in SPLITS} | {
    "validation": "dev",
    "valid": "dev",
    "val": "dev",
}


@dataclass(frozen=True, eq=False, repr=False)
class Task:
    """Rows to train and score on, with the answers they may have.

    Made by ``load_task``, ``from_rows``, ``from_files`` or ``from_dataset``, which
    check the rows. A split is a ``datasets.Dataset`` of text columns: ``answer`` and
    the input columns, which are the fields a template can use.
    """

    name: str
    answers: list[str]
    """The answer vocabulary: what accuracy chooses from."""
    inputs: list[str]
    """Input columns, such as ``["subject"]``."""
    prompts: list[str] = field(default_factory=list)
    """Hand-written wordings (template texts); the first is the plain one."""
    title: str = ""
    description: str = ""
    licence: str = ""
    rows: dict[str, Any] = field(default_factory=dict)
    """{split: datasets.Dataset}; reach them as ``.train``, ``.dev``, ``.test``."""

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(self.rows[name])} {name}" for name in self.splits)
        columns = ", ".join([*self.inputs, "answer"])
        answers = f"{len(self.answers)} answers"
        return f"Task({self.name!r}: {sizes} rows; columns {columns}; {answers})"

    @property
    def splits(self) -> list[str]:
        """Names of the splits that there are, in the order train, dev, test."""
        return [name for name in SPLITS if name in self.rows]

    def split(self, name: str):
        """The rows of one split as a ``datasets.Dataset``.

        Raises DataError if the task has no such split.
        """
        if name in self.rows:
            return self.rows[name]
        there = ", ".join(self.splits)
        if name not in SPLITS:
            raise DataError(f"no split is called {name!r}; {self.name} has {there}.")
        raise DataError(
            f"task {self.name} was given no {name} split, only {there}. "
            f"Add one: task.with_rows({name}=rows)."
        )

    @property
    def train(self):
        """Rows to train on."""
        return self.split("train")

    @property
    def dev(self):
        """Rows to choose wordings, rates and steps by."""
        return self.split("dev")

    @property
    def test(self):
        """Rows to score on, once, at the end."""
        return self.split("test")

    def check_columns(self, columns: Iterable[str]) -> None:
        """Raise DataError if one of ``columns`` is not in the task's rows."""
        there = [*self.inputs, "answer"]
        for column in columns:
            if column not in there:
                raise DataError(
                    f"no column {column!r} in task {self.name}.{close(column, there)} "
                    f"It has: {', '.join(there)}."
                )

    def with_rows(self, **splits) -> "Task":
        """A copy with some splits replaced, e.g. ``task.with_rows(train=few)``.

        The answers stay as they are: a row with another answer raises DataError.
        """
        for name in splits:
            if name not in SPLITS:
                raise DataError(f"no split is called {name!r}: {', '.join(SPLITS)}.")
        new = {name: clean(name, rows, "answer") for name, rows in splits.items()}
        for name, rows in new.items():
            check_inputs(name, rows, self.inputs)
            check_answers(name, rows, self.answers)
        rows = self.rows | {name: dataset(rows) for name, rows in new.items()}
        return replace(self, rows=rows)

    def few_shot(self, per_answer: int, seed: int) -> "Task":
        """A copy with ``per_answer`` training rows of each answer, drawn by ``seed``.

        An answer with fewer rows than that gives all it has.
        """
        if per_answer < 1:
            raise DataError(f"per_answer must be 1 or more, not {per_answer}.")
        order = list(range(len(self.train)))
        random.Random(seed).shuffle(order)
        answer_of, kept = list(self.train["answer"]), []
        taken = dict.fromkeys(self.answers, 0)
        for i in order:
            if taken[answer_of[i]] < per_answer:
                taken[answer_of[i]] += 1
                kept.append(i)
        return replace(self, rows=self.rows | {"train": self.train.select(kept)})

    def head(self, split: str = "test", n: int = 200) -> "Task":
        """A copy with only the first ``n`` rows of ``split``.

        The rows of our own tasks were shuffled once when they were written, so their
        first ``n`` are a random sample, and the same one for everybody.
        """
        if n < 1:
            raise DataError(f"n must be 1 or more, not {n}.")
        rows = self.split(split)
        return replace(
            self, rows=self.rows | {split: rows.select(range(min(n, len(rows))))}
        )

    @classmethod
    def from_rows(
        cls,
        train,
        dev=None,
        test=None,
        *,
        name: str = "my-task",
        answers: Iterable[str] | None = None,
        answer_column: str = "answer",
        labels: Mapping[Any, str] | None = None,
        prompts: Iterable[str] = (),
        title: str = "",
        description: str = "",
        licence: str = "",
    ) -> "Task":
        """A task of your own rows.

        Each split is a list of dicts, a pandas DataFrame, a ``datasets.Dataset``, or
        the path of a .csv, .tsv, .jsonl or .json file. Values become text; columns
        that hold lists or other objects are left out. ``answer_column`` is renamed to
        ``answer``. ``labels`` turns raw labels into answer words, for instance
        ``{0: "negative", 1: "positive"}``. ``answers`` is by default every answer
        that occurs, sorted.

        Raises DataError for an empty split, a missing column, a row without an answer,
        a label that ``labels`` does not know, an answer that is not in ``answers``.
        """
        given = {"train": train, "dev": dev, "test": test}
        rows = {
            split: clean(split, source, answer_column, labels)
            for split, source in given.items()
            if source is not None
        }
        if not rows:
            raise DataError(f"task {name} was given no rows at all.")
        first = next(iter(rows.values()))
        inputs = [column for column in first[0] if column != "answer"]
        for split, found in rows.items():
            check_inputs(split, found, inputs)
        if answers is None:
            answers = {row["answer"] for found in rows.values() for row in found}
            answers = sorted(answers)
        answers = list(answers)
        for split, found in rows.items():
            check_answers(split, found, answers)
        return cls(
            name=name,
            answers=answers,
            inputs=inputs,
            prompts=list(prompts),
            title=title or name,
            description=description,
            licence=licence,
            rows={split: dataset(found) for split, found in rows.items()},
        )

    @classmethod
    def from_files(cls, train, dev=None, test=None, **options) -> "Task":
        """``from_rows`` under the name one looks for when the rows are in files."""
        return cls.from_rows(train, dev, test, **options)

    @classmethod
    def from_dataset(cls, splits: Mapping[str, Any], **options) -> "Task":
        """A task of a ``datasets.DatasetDict`` (or any dict of splits).

        ``validation``, ``valid`` and ``val`` are taken for dev. The options are those
        of ``from_rows``.
        """
        given = {}
        for name, rows in splits.items():
            if name not in SPLIT_NAMES:
                known = ", ".join(SPLIT_NAMES)
                raise DataError(
                    f"no split is called {name!r}; the names known are {known}. "
                    "Pass the splits to Task.from_rows yourself."
                )
            if SPLIT_NAMES[name] in given:
                raise DataError(f"two splits are both {SPLIT_NAMES[name]}: {name!r}.")
            given[SPLIT_NAMES[name]] = rows
        return cls.from_rows(**{"train": None} | given, **options)


def task_names() -> list[str]:
    """Names of the tasks that ship with the package."""
    return list(_catalogue())


def load_task(name: str | Mapping[str, Any]) -> Task:
    """A task that ships with the package, by name; or one of a ``DatasetDict``.

    Raises DataError for an unknown name, with the names that are close to it.
    """
    if isinstance(name, Mapping):
        return Task.from_dataset(name)
    catalogue = _catalogue()
    if name not in catalogue:
        hint = ""
        if Path(name).suffix:
            hint = " For a file of your own: Task.from_files(path)."
        raise DataError(
            f"no task is called {name!r}.{close(name, catalogue)} "
            f"There are: {', '.join(catalogue)}.{hint}"
        )
    folder = data_dir() / name
    files = {split: folder / f"{split}.jsonl" for split in SPLITS}
    return Task.from_rows(**files, name=name, **catalogue[name])


def data_dir() -> Path:
    """Find the folder of the task files: in the wheel, or beside the package.

    Raises
    ------
    DataError
        If neither has them.
    """
    places = (PACKAGE / "_data", REPOSITORY / "data")
    for folder in places:
        if (folder / "tasks.toml").exists():
            return folder
    raise DataError(
        f"the task files are missing: no tasks.toml in {' or '.join(map(str, places))}."
        " Install ptlearn again."
    )


def _catalogue() -> dict[str, dict]:
    return tomllib.loads((data_dir() / "tasks.toml").read_text(encoding="utf-8"))
