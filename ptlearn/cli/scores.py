"""The score that ``ptlearn train`` ends with, beside its controls."""

import re

import pandas as pd

from ..evaluation.baselines import controls
from ..evaluation.report import evaluate
from ..prompts.prompt import Prompt
from ..tasks.task import Task
from ..templates.language import Answer, Field, Template, Text, VirtualWords, render


def score_beside_controls(prompt: Prompt, task: Task) -> str:
    """Return a table of accuracies on the test split, with their 95 % intervals.

    The controls say what the score is worth: the prompt's words alone, a majority
    vote, naive Bayes and the same language model with random weights.
    """
    words = without_virtual_tokens(prompt.template)
    tuned = evaluate(prompt, task)
    plain = evaluate(Prompt(prompt.lm, words), task)
    lines = {
        name: (report.accuracy, *report.accuracy_interval)
        for name, report in [("this prompt", tuned), ("its words alone", plain)]
    }
    columns = ["accuracy", "low", "high"]
    table = pd.DataFrame.from_dict(lines, orient="index", columns=columns)
    table = pd.concat([table, controls(task, prompt.lm, words)[columns]])
    return (
        f"{table.to_string(float_format='{:.3f}'.format)}\n"
        f"P@1 over the whole vocabulary: {tuned.p_at_1:.3f}"
    )


def without_virtual_tokens(template: Template) -> Template:
    """Return a template of the words alone, those inside virtual tokens included."""
    kept = [
        Text(piece.words) if isinstance(piece, VirtualWords) else piece
        for piece in template.pieces
        if isinstance(piece, Text | Field | Answer | VirtualWords)
    ]
    return Template(re.sub(" {2,}", " ", render(kept)).strip())
