"""Demonstrations: rows with their answers, put into the context of a wording.

A language model can be shown a task instead of being tuned to it (in-context learning,
Brown et al. 2020, section 2). Nothing is trained, so this is the baseline that a tuned
prompt has to beat with the same training rows.
"""

import random
from collections import Counter
from collections.abc import Iterable

import pandas as pd

from ..errors import DataError, TemplateError
from ..forward import scoring
from ..lm.language_model import LanguageModel
from ..prompts.prompt import Prompt
from ..tasks.task import Task
from ..templates.language import Answer, Template, Text, render
from ..templates.tokenization import own_answer
from .report import evaluate


def with_demonstrations(
    template: Template | str, rows: Iterable[dict], *, separator: str = "\n\n"
) -> Template:
    r"""Put rows and their answers before a wording, each written as the wording says.

    ``with_demonstrations("{subject} is in {answer}", [osaka])`` is the template
    ``"Osaka is in Japan\n\n{subject} is in {answer}"``. What stands in the rows is
    plain text, brackets and braces too. The demonstrations are the same for every row
    that is scored, so the model reads them once.

    Parameters
    ----------
    template : Template or str
        Without virtual tokens.
    rows : Dataset, DataFrame or iterable of dict
        With the template's columns and ``answer``; shown in this order.
    separator : str
        Stands after each demonstration, as plain text.

    Returns
    -------
    Template
        The template itself if there are no rows.

    Raises
    ------
    TemplateError
        If the template has virtual tokens.
    DataError
        If a row lacks a column or an answer.
    """
    template = template if isinstance(template, Template) else Template(template)
    if template.has_virtual_tokens:
        raise TemplateError(
            f"{template.text!r} has virtual tokens, and a demonstration is made of "
            "words alone: give a hand-written template, such as one of task.prompts"
        )
    shown = []
    for number, row in enumerate(scoring.as_rows(rows)):
        answer = own_answer(row)
        if answer is None:
            raise DataError(
                f"row {number} cannot be a demonstration, it has no answer: {row!r}"
            )
        filled = template.fill(row)
        shown += [Text(answer) if p == Answer() else p for p in filled]
        shown.append(Text(separator))
    return Template(render([*shown, *template.pieces]))


def draw_demonstrations(task: Task, k: int, seed: int) -> list[dict]:
    """Draw training rows to show.

    Where the task has at most ``k`` answers, each is shown equally often, or once more
    than another, as far as it has rows: few reviews that happen to be all positive
    would teach that all reviews are. Otherwise rows are drawn as they come.

    Parameters
    ----------
    task : Task
        With a train split.
    k : int
        How many; 0 gives none.
    seed : int
        Draws the rows, and the order in which they stand.

    Returns
    -------
    list of dict

    Raises
    ------
    DataError
        If the task has no train split, or fewer than ``k`` rows in it.
    """
    rows = scoring.as_rows(task.train)
    if not 0 <= k <= len(rows):
        raise DataError(
            f"{k} demonstrations cannot be drawn from the {len(rows)} training rows of "
            f"{task.name}: take from 0 to {len(rows)}"
        )
    generator = random.Random(seed)
    generator.shuffle(rows)
    if len(task.answers) <= k:
        rows = _one_of_each_in_turn(rows)
    drawn = rows[:k]
    generator.shuffle(drawn)
    return drawn


def _one_of_each_in_turn(rows: list[dict]) -> list[dict]:
    """Put the first row of each answer first, then the second of each, and so on."""
    seen, turns = Counter(), []
    for row in rows:
        turns.append(seen[row["answer"]])
        seen[row["answer"]] += 1
    order = sorted(range(len(rows)), key=turns.__getitem__)
    return [rows[i] for i in order]


def in_context(
    task: Task,
    lm: LanguageModel,
    template: Template | str,
    *,
    shots: Iterable[int] = (0, 4, 8, 16),
    draws: int = 5,
    split: str = "test",
    batch_size: int = 16,
    progress: bool = True,
) -> pd.DataFrame:
    """Score a wording as it is, and with training rows as demonstrations before it.

    What is shown decides much of the score, so several draws are scored, as a tuned
    prompt is trained with several seeds.

    Parameters
    ----------
    task : Task
        With a train split, from which demonstrations are drawn.
    lm : LanguageModel
    template : Template or str
        Without virtual tokens.
    shots : iterable of int
        How many demonstrations; 0 is the wording alone, which has one line.
    draws : int
        How many times demonstrations are drawn for each number of them; at least 1.
    split : "train", "dev" or "test"
        What is scored.

    Returns
    -------
    DataFrame, one line for each number of demonstrations and draw
        Columns ``shots``; ``draw``, the seed of :func:`draw_demonstrations`;
        ``p_at_1``; ``accuracy``; ``n`` (rows scored).

    Raises
    ------
    TemplateError
        If the template has virtual tokens, or does not fit the kind of model.
    DataError
        If there is no such split, no draw or too few training rows, or if a row with
        its demonstrations is longer than the model's context window.
    """
    if draws < 1:
        raise DataError(f"draws must be 1 or more, not {draws}")
    lines = []
    for k in shots:
        for draw in range(draws if k else 1):
            shown = draw_demonstrations(task, k, draw)
            prompt = Prompt(lm, with_demonstrations(template, shown))
            report = evaluate(
                prompt, task, split=split, batch_size=batch_size, progress=progress
            )
            scores = {"p_at_1": report.p_at_1, "accuracy": report.accuracy}
            lines.append({"shots": k, "draw": draw, **scores, "n": report.n})
    return pd.DataFrame(lines)
