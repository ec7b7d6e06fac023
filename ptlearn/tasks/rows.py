"""Rows from wherever they are, checked and turned into text.

The sources are lists, DataFrames, data sets and files. ``task.py`` makes a ``Task`` of
what these functions return.
"""

import difflib
import json
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..files import short_hash
from .readers import SURROGATE, read_file

if TYPE_CHECKING:
    from datasets import Dataset

    from .task import Task


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" if some known words look like ``word``, else ""."""
    found = difflib.get_close_matches(word, list(known), n=3)
    return f" Did you mean {' or '.join(map(repr, found))}?" if found else ""


def require_columns(wanted: Iterable[str], present: Sequence[str], where: str) -> None:
    """Raise DataError if a wanted column is not among those that are present."""
    for column in wanted:
        if column not in present:
            raise DataError(
                f"there is no column {column!r} in {where}."
                f"{did_you_mean(column, present)} It has: {', '.join(present)}."
            )


def read_rows(source, where: str) -> list[Mapping]:
    """Return the rows of a list, DataFrame, Dataset or file.

    Parameters
    ----------
    source : list of dict, pandas.DataFrame, datasets.Dataset, str or Path
    where : str
        What an error calls the source, such as "train".

    Raises
    ------
    DataError
        If the source holds no rows in this sense.
    """
    if isinstance(source, str | Path):
        source = read_file(source)
    elif hasattr(source, "to_dict") and hasattr(source, "itertuples"):  # pandas
        source = source.to_dict("records")
    elif hasattr(source, "features") and hasattr(source, "to_list"):  # datasets
        source = source.to_list()
    if not isinstance(source, Iterable):
        raise DataError(
            f"{where} is {source!r}; give a list of dicts, a DataFrame, a Dataset or "
            "the path of a file."
        )
    rows = list(source)
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DataError(
                f"row {number} of {where} is {row!r}, not a dict like "
                '{"subject": "Osaka", "answer": "Japan"}.'
            )
    return rows


def columns_of(rows: Iterable[Mapping]) -> list:
    """Return all columns that occur in the rows, in order of appearance."""
    return list(dict.fromkeys(column for row in rows for column in row))


def text_of(value) -> str | None:
    """Return a cell as text; None where it is missing or holds no plain value."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # NumPy
        value = value.item()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        # pandas makes whole numbers float where one is missing.
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, str) and SURROGATE.search(value):
        return None  # no tokenizer and no file takes half a character
    return str(value) if isinstance(value, str | int) else None


def cell_text(value, column: str) -> str:
    """Return a cell as text; "" where it is missing: None or NaN.

    Raises
    ------
    DataError
        If it holds neither text nor a number.
    """
    text = text_of(value)
    if text is None and not is_missing(value):
        raise DataError(
            f"the column {column!r} holds {reprlib.repr(value)}, which is neither "
            "text nor a number."
        )
    return text or ""


def is_missing(value) -> bool:
    """Return whether a cell holds nothing: None, NaN or pandas' NA."""
    import pandas as pd

    return pd.api.types.is_scalar(value) and pd.isna(value)


def checked_rows(
    source,
    split: str,
    answer_column: str = "answer",
    labels: Mapping[Any, str] | None = None,
) -> list[dict[str, str]]:
    """Return the rows of a split as text, with the answer last, in ``answer``.

    Parameters
    ----------
    source : list of dict, pandas.DataFrame, datasets.Dataset, str or Path
    split : str
        Its name, for errors.
    answer_column : str
    labels : dict, optional
        The word for each raw label, as in :meth:`Task.from_rows`.

    Raises
    ------
    DataError
        If there are no rows, no answer column, a row without an answer, or a label
        without a word.
    """
    rows = read_rows(source, split)
    if not rows:
        raise DataError(f"the {split} split is empty; leave it out or give it rows.")
    columns = columns_of(rows)
    if answer_column not in columns:
        names = list(map(str, columns))
        raise DataError(
            f"there is no column {answer_column!r} in {split}."
            f"{did_you_mean(answer_column, names)} It has: {', '.join(names)}. "
            "Say which one holds the answer: answer_column=..."
        )
    if answer_column != "answer" and "answer" in columns:
        raise DataError(
            f"{split} has a column 'answer' besides {answer_column!r}; rename one."
        )
    if nul := [column for column in columns if "\0" in str(column)]:
        raise DataError(f"the column {nul[0]!r} of {split} holds a NUL: rename it.")
    inputs = [
        column
        for column in columns
        if column != answer_column
        and any(text_of(row.get(column)) is not None for row in rows)
    ]
    if labels is None:
        labels = _class_names(source, answer_column)
    answers = _answers(rows, split, answer_column, labels)
    return [
        {str(column): cell_text(row.get(column), column) for column in inputs}
        | {"answer": answer}
        for row, answer in zip(rows, answers, strict=True)
    ]


def _class_names(source, column: str) -> dict[int, str] | None:
    """Return what the numbers of a ``datasets.ClassLabel`` column mean, if it is one.

    A row of such a column holds the number, not the name.
    """
    feature = getattr(source, "features", {}).get(column)
    names = getattr(feature, "names", None)
    return dict(enumerate(names)) if names else None


def _answers(
    rows: Sequence[Mapping], split: str, column: str, labels: Mapping | None
) -> list[str]:
    answers = [(text_of(row.get(column)) or "").strip() for row in rows]
    missing = [number for number, answer in enumerate(answers) if not answer]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(rows)} rows in {split} have no answer in "
            f"{column!r}; the first is row {missing[0]}: {dict(rows[missing[0]])!r}."
        )
    return answers if labels is None else relabel(answers, labels, split)


def relabel(answers: Iterable[str], words: Mapping, split: str) -> list[str]:
    """Return the word of each answer.

    Parameters
    ----------
    answers : iterable of str
    words : dict
        The word for each raw label; a label may be a number.
    split : str
        Where the answers stand, for errors.

    Raises
    ------
    DataError
        If an answer has no word.
    """
    answers = list(answers)
    words = {text_of(label): str(word).strip() for label, word in words.items()}
    for number, answer in enumerate(answers):
        if answer not in words:
            raise DataError(
                f"label {answer!r} in row {number} of {split} is not in labels; "
                f"those are {', '.join(map(repr, words))}."
            )
    return [words[answer] for answer in answers]


def label_words(answers: Sequence[str], words: Mapping, task: str) -> dict[str, str]:
    """Return the word for each answer of a task, in the order of the answers.

    Raises
    ------
    DataError
        If an answer has no word, a word is empty or stands for two answers, or words
        are given to what is no answer.
    """
    given = {
        text_of(label): (text_of(word) or "").strip() for label, word in words.items()
    }
    for label in given:
        if label not in answers:
            raise DataError(
                f"{label!r} is no answer of task {task}."
                f"{did_you_mean(str(label), answers)}"
                f" Its answers are: {', '.join(answers)}."
            )
    for number, answer in enumerate(answers):
        word = given.get(answer, "")
        if not word:
            raise DataError(
                f"the answer {answer!r} of task {task} has no label word: "
                "give one for each answer."
            )
        if word in (other := [given[a] for a in answers[:number]]):
            raise DataError(
                f"the label word {word!r} stands for both "
                f"{answers[other.index(word)]!r} and {answer!r}: choose two words."
            )
    return {answer: given[answer] for answer in answers}


def answer_vocabulary(answers: Iterable) -> list[str]:
    """Return answers as text, each once, in order.

    Raises
    ------
    DataError
        If one is empty or no plain value.
    """
    words = {}
    for answer in answers:
        word = (text_of(answer) or "").strip()
        if not word:
            raise DataError(f"{answer!r} cannot be an answer: give a word or a number.")
        words[word] = None
    return list(words)


def to_dataset(
    rows: list[dict[str, str]], split: str, inputs: list[str], answers: list[str]
) -> "Dataset":
    """Return checked rows as the split of a task with these columns and answers.

    Raises
    ------
    DataError
        If the rows lack a column, or an answer is not one of the task's.
    """
    from datasets import Dataset  # takes a second: only when rows are there

    require_columns(inputs, list(rows[0]), split)
    known = set(answers)
    bad = [number for number, row in enumerate(rows) if row["answer"] not in known]
    if bad:
        raise DataError(
            f"{len(bad)} of {len(rows)} rows in {split} have an answer that is not one "
            f"of the task's {len(known)} answers; the first is "
            f"{rows[bad[0]]['answer']!r} in row {bad[0]}."
        )
    return Dataset.from_list(rows)


def content_hash(task: "Task") -> str:
    """Return what a task's rows and answers are: 16 hexadecimal digits.

    It does not depend on the task's name. A cell, an answer or the order of the rows
    that changes gives another one.
    """
    splits = {name: task.rows[name].to_list() for name in task.splits}
    text = json.dumps([splits, task.answers], sort_keys=True)
    return short_hash(text)
