"""How sure a prompt is: the probability of each answer it can choose."""

from collections.abc import Iterable

import pandas as pd
from scipy.special import softmax

from ..errors import PromptError
from ..prompts.prompt import Prompt
from ..prompts.tuner import PromptTuner
from .calibration import answer_table


def answer_probabilities(
    prompted: Prompt | PromptTuner,
    rows,
    answers: Iterable[str] | None = None,
    *,
    batch_size: int = 16,
) -> pd.DataFrame:
    """Compute the probability of each answer, given that it is one of them.

    The log-probabilities of the answers, summed over their tokens, go through a
    softmax: words that are no answers get nothing. ``Prompt.predict`` chooses the
    highest.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    rows : Dataset, DataFrame or iterable of dict
        With the template's columns; no ``answer`` is needed.
    answers : iterable of str, optional
        By default those kept from training.

    Returns
    -------
    DataFrame, shape (n, number of answers)
        A column for each answer; each line sums to 1.

    Raises
    ------
    PromptError
        If there are no answers, or the model's logits are NaN or infinite.
    DataError
        If a row lacks a column or is too long, or two answers cannot be told apart.
    """
    answers = prompted.answers if answers is None else map(str, answers)
    answers = list(dict.fromkeys(answers))
    if not answers:
        raise PromptError(
            "no answers to choose from: answer_probabilities(rows, answers=[...]), or "
            "train on a task, which keeps its answers with the prompt"
        )
    table = answer_table(prompted, rows, answers, batch_size=batch_size, progress=False)
    return pd.DataFrame(softmax(table.to_numpy(), axis=1), columns=answers)
