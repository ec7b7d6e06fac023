"""The rows that ``ptlearn train`` learns, chooses the best step by and scores on."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError, TemplateError
from ..tasks.sampling import MAX_DEV, draw_evenly, hold_out
from ..tasks.task import Task

if TYPE_CHECKING:
    from ..templates.language import Template


def read_task(
    data: Path,
    dev_data: Path | None,
    template: "Template",
    answer_column: str,
    labels: dict[str, str],
) -> Task:
    """Return the rows as a task with dev and test splits; print what is in them.

    Without dev data, both are held out. With them, test is all of the dev data and dev
    at most 200 rows of it.

    Raises
    ------
    TemplateError
        If the template uses no column.
    DataError
        If a column is missing, the rows have one answer only, or too few rows can be
        held out.
    """
    if not template.fields:
        raise TemplateError(
            f"the template {template.text!r} uses no column of the data: write one in "
            "braces, such as {text}."
        )
    task = Task.from_rows(
        data,
        dev_data,
        name=data.stem,
        answer_column=answer_column,
        labels=labels or None,
    )
    task.check_columns(template.fields)
    if len(task.answers) < 2:
        raise DataError(
            f"all rows have the answer {task.answers[0]!r}: there is nothing to learn."
        )
    task = hold_out(task) if dev_data is None else _reuse_dev(task)
    print(_describe_answers(task))
    print(_describe_splits(task, dev_data) + _describe_rare(task))
    return task


def _reuse_dev(task: Task) -> Task:
    """Return a task whose test rows are all dev rows, and its dev rows some of them."""
    answers = list(task.dev["answer"])
    chosen = draw_evenly(answers, min(len(answers), MAX_DEV))
    splits = {"dev": task.dev.select(chosen), "test": task.dev}
    return replace(task, rows=task.rows | splits)


def _describe_splits(task: Task, dev_data: Path | None) -> str:
    dev, test, train = (len(task.split(name)) for name in ("dev", "test", "train"))
    if dev_data is None:
        return (
            f"Without --dev-data, some rows are held out: {dev} choose the best step, "
            f"{test} others give the final score, {train} are learnt."
        )
    return (
        f"{dev} rows of {dev_data.name} choose the best step and all {test} give the "
        "final score, which is a little too good for that."
    )


def _describe_answers(task: Task) -> str:
    counts = Counter(task.train["answer"]).most_common()
    shown = ", ".join(f"{answer} {count}" for answer, count in counts[:5])
    more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
    return f"{len(task.train)} rows to learn; answers: {shown}{more}."


def _describe_rare(task: Task) -> str:
    splits = [set(task.split(name)["answer"]) for name in task.splits]
    rare = [word for word in task.answers if not all(word in s for s in splits)]
    if not rare:
        return ""
    more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
    return (
        f"\nToo rare to be in each of these parts ({len(rare)} of {len(task.answers)} "
        f"answers): {', '.join(rare[:5])}{more}."
    )
