"""Tasks: rows with answers, in up to three splits, and hand-written prompts.

``load_task("city_country")`` reads a task that ships with the package;
``Task.from_rows`` makes one of your own rows. Every value is text, and the answer is
always in the column ``answer``, so that the rest of the package need not ask where the
rows came from.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from .rows import (
    answer_vocabulary,
    checked_rows,
    did_you_mean,
    label_words,
    relabel,
    require_columns,
    to_dataset,
)
from .sampling import draw_few
from .shipped import catalogue, data_dir

if TYPE_CHECKING:
    from datasets import Dataset

SPLITS = ("train", "dev", "test")
SPLIT_NAMES = {name: name for name in SPLITS} | dict.fromkeys(
    ("validation", "valid", "val"), "dev"
)


@dataclass(frozen=True, eq=False, repr=False)
class Task:
    """Rows to train and score on, with the answers they may have.

    Made by :func:`load_task`, :meth:`from_rows` or :meth:`from_dataset`, which check
    the rows. A split is a ``datasets.Dataset`` of text columns: ``answer`` and the
    input columns, which are the fields a template can use.

    Attributes
    ----------
    name : str
    answers : list of str
        The answer vocabulary: what accuracy chooses from.
    inputs : list of str
        The input columns, such as ``["subject"]``.
    prompts : list of str
        Hand-written templates; the first is the plainest.
    title, description, licence : str
    rows : dict of str to datasets.Dataset
        The splits by name. ``.train``, ``.dev`` and ``.test`` say what to do where one
        is missing.
    """

    name: str
    answers: list[str]
    inputs: list[str]
    prompts: list[str] = field(default_factory=list)
    title: str = ""
    description: str = ""
    licence: str = ""
    rows: dict[str, "Dataset"] = field(default_factory=dict)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(self.rows[name])} {name}" for name in self.splits)
        columns = ", ".join([*self.inputs, "answer"])
        answers = f"{len(self.answers)} answers"
        return f"Task({self.name!r}: {sizes} rows; columns {columns}; {answers})"

    @property
    def splits(self) -> list[str]:
        """The names of the splits that are there, in the order train, dev, test."""
        return [name for name in SPLITS if name in self.rows]

    def split(self, name: str) -> "Dataset":
        """Return the rows of one split.

        Raises
        ------
        DataError
            If the task has no such split; the message names those it has.
        """
        if name in self.rows:
            return self.rows[name]
        has = ", ".join(self.splits)
        if name not in SPLITS:
            raise DataError(f"no split is called {name!r}; {self.name} has {has}.")
        raise DataError(
            f"task {self.name} was given no {name} split, only {has}. "
            f"Add one: task.with_rows({name}=rows)."
        )

    @property
    def train(self) -> "Dataset":
        """Rows to train on."""
        return self.split("train")

    @property
    def dev(self) -> "Dataset":
        """Rows to choose prompts, learning rates and steps by."""
        return self.split("dev")

    @property
    def test(self) -> "Dataset":
        """Rows to score on, once, at the end."""
        return self.split("test")

    def check_columns(self, columns: Iterable[str]) -> None:
        """Check that the task's rows have these columns.

        Raises
        ------
        DataError
            If one is missing; the message names those that are there.
        """
        require_columns(columns, [*self.inputs, "answer"], f"task {self.name}")

    def with_rows(self, **splits) -> "Task":
        """Return a copy with some splits replaced: ``task.with_rows(train=few)``.

        The answer vocabulary stays as it is.

        Raises
        ------
        DataError
            If a split has another name than train, dev and test, lacks a column of the
            task, or has an answer that the task does not have.
        """
        for name in splits:
            if name not in SPLITS:
                raise DataError(f"no split is called {name!r}: {', '.join(SPLITS)}.")
        rows = {name: checked_rows(source, name) for name, source in splits.items()}
        new = {
            name: to_dataset(found, name, self.inputs, self.answers)
            for name, found in rows.items()
        }
        return replace(self, rows=self.rows | new)

    def with_label_words(self, words: Mapping[str, str]) -> "Task":
        """Return a copy in which a word stands for each answer: a verbalizer.

        ``task.with_label_words({"positive": "great", "negative": "terrible"})`` asks
        for the same classes in other words (Schick and Schütze 2021, section 3).
        Rows and answer vocabulary change, the prompts do not.

        Raises
        ------
        DataError
            If an answer has no word of its own, or a key is no answer of the task.
        """
        words = label_words(self.answers, words, self.name)
        rows = {
            name: part.remove_columns("answer").add_column(
                "answer", relabel(list(part["answer"]), words, name)
            )
            for name, part in self.rows.items()
        }
        return replace(self, answers=list(words.values()), rows=rows)

    def few_shot(self, per_answer: int, seed: int) -> "Task":
        """Return a copy with ``per_answer`` training rows of each answer.

        The rows are drawn by ``seed``; an answer with fewer rows gives all it has.

        Raises
        ------
        DataError
            If ``per_answer`` is below 1, or the task has no train split.
        """
        if per_answer < 1:
            raise DataError(f"per_answer must be 1 or more, not {per_answer}.")
        drawn = draw_few(list(self.train["answer"]), per_answer, seed)
        return replace(self, rows=self.rows | {"train": self.train.select(drawn)})

    def head(self, split: str = "test", n: int = 200) -> "Task":
        """Return a copy with only the first ``n`` rows of a split.

        The rows of our own tasks were shuffled once when they were written, so their
        first ``n`` are a random sample, and the same one for everybody.

        Raises
        ------
        DataError
            If ``n`` is below 1, or there is no such split.
        """
        if n < 1:
            raise DataError(f"n must be 1 or more, not {n}.")
        rows = self.split(split)
        first = rows.select(range(min(n, len(rows))))
        return replace(self, rows=self.rows | {split: first})

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
        """Make a task of your own rows.

        Parameters
        ----------
        train, dev, test : list of dict, DataFrame, datasets.Dataset, str or Path
            Each split's rows, or the path of a .csv, .tsv, .jsonl or .json file of
            them. Values become text; columns that hold lists or other objects are left
            out.
        name : str
        answers : iterable, optional
            The answer vocabulary; by default every answer that occurs, sorted.
        answer_column : str
            The column that holds the answer; in the task it is called ``answer``.
        labels : dict, optional
            The answer word for each raw label, such as
            ``{0: "negative", 1: "positive"}``.
        prompts : iterable of str
            Hand-written templates.
        title, description, licence : str

        Raises
        ------
        DataError
            If a split is empty, lacks a column, or has a row without an answer, with a
            label that is not in ``labels`` or with an answer that is not in
            ``answers``; or if a file cannot be read.
        """
        given = {"train": train, "dev": dev, "test": test}
        rows = {
            split: checked_rows(source, split, answer_column, labels)
            for split, source in given.items()
            if source is not None
        }
        if not rows:
            raise DataError(f"task {name} was given no rows at all.")
        first = next(iter(rows.values()))
        inputs = [column for column in first[0] if column != "answer"]
        if answers is None:
            answers = sorted({row["answer"] for part in rows.values() for row in part})
        answers = answer_vocabulary(answers)
        return cls(
            name=name,
            answers=answers,
            inputs=inputs,
            prompts=list(prompts),
            title=title or name,
            description=description,
            licence=licence,
            rows={s: to_dataset(r, s, inputs, answers) for s, r in rows.items()},
        )

    @classmethod
    def from_dataset(cls, splits: Mapping[str, Any], **options) -> "Task":
        """Make a task of a ``datasets.DatasetDict``, or of any dict of splits.

        Parameters
        ----------
        splits : dict
            ``validation``, ``valid`` and ``val`` are other names for dev.
        **options
            Those of :meth:`from_rows`.

        Raises
        ------
        DataError
            If a split has another name, and as from :meth:`from_rows`.
        """
        given = {}
        for name, rows in splits.items():
            if name not in SPLIT_NAMES:
                known = ", ".join(SPLIT_NAMES)
                raise DataError(
                    f"no split is called {name!r}; known names are {known}. "
                    "Call Task.from_rows and say which split is which."
                )
            if SPLIT_NAMES[name] in given:
                raise DataError(f"two splits are both {SPLIT_NAMES[name]}: {name!r}.")
            given[SPLIT_NAMES[name]] = rows
        return cls.from_rows(**{"train": None} | given, **options)


def task_names() -> list[str]:
    """Return the names of the tasks that ship with the package."""
    return list(catalogue())


def load_task(name: str | Mapping[str, Any]) -> Task:
    """Load a task that ships with the package, or make one of a ``DatasetDict``.

    Parameters
    ----------
    name : str or datasets.DatasetDict
        One of :func:`task_names`, or splits with a column ``answer``.

    Raises
    ------
    DataError
        If there is no such task; the message names those with a similar name.
    """
    if isinstance(name, Mapping):
        return Task.from_dataset(name)
    known = catalogue()
    if name not in known:
        raise DataError(
            f"no task is called {name!r}.{did_you_mean(name, known)} There are: "
            f"{', '.join(known)}. For rows of your own: Task.from_rows(path)."
        )
    folder = data_dir() / name
    files = {split: folder / f"{split}.jsonl" for split in SPLITS}
    return Task.from_rows(**files, name=name, **known[name])
