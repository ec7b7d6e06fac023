"""The score that ``ptlearn train`` ends with, beside its controls."""

import re

import pandas as pd

from ..errors import PtlearnError
from ..evaluation.baselines import controls
from ..evaluation.report import Report, evaluate
from ..prompts.prompt import Prompt
from ..tasks.task import Task
from ..templates.language import Answer, Field, Template, Text, VirtualWords, render


def score_beside_controls(prompt: Prompt, task: Task) -> str:
    """Return a table of accuracies on the test split, with their 95 % intervals.

    The controls say what the score is worth: the prompt's words alone, a majority
    vote, naive Bayes and the same language model with random weights. Words that cannot
    stand alone (a row with an empty field leaves nothing to read) have no controls.
    """
    words = without_virtual_tokens(prompt.template)
    tuned = evaluate(prompt, task)
    tables, note = [_line("this prompt", tuned)], ""
    try:
        plain = evaluate(Prompt(prompt.lm, words), task)
    except PtlearnError as error:
        note = f"\nNo controls: without virtual tokens, rows cannot be read: {error}"
    else:
        tables += [_line("its words alone", plain), controls(task, prompt.lm, words)]
    table = pd.concat(tables)[["accuracy", "low", "high"]]
    return (
        f"{table.to_string(float_format='{:.3f}'.format)}\n"
        f"P@1 over the whole vocabulary: {tuned.p_at_1:.3f}{note}"
    )


def _line(name: str, report: Report) -> pd.DataFrame:
    low, high = report.accuracy_interval
    line = {"accuracy": report.accuracy, "low": low, "high": high}
    return pd.DataFrame(line, index=[name])


def without_virtual_tokens(template: Template) -> Template:
    """Return a template of the words alone, those inside virtual tokens included."""
    kept = [
        Text(piece.words) if isinstance(piece, VirtualWords) else piece
        for piece in template.pieces
        if isinstance(piece, Text | Field | Answer | VirtualWords)
    ]
    return Template(re.sub(" {2,}", " ", render(kept)).strip())
