"""Calibration: what an answer gets before the row is read, taken off.

A language model finds some answers probable whatever it has read: frequent words, words
of the prompt, answers of few tokens. The log-probability after a *content-free* input,
such as "N/A", shows how probable; what is left when it is taken off comes from the row.
Nothing is trained.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.special import log_softmax, logsumexp

from ..errors import DataError, PromptError
from ..forward.answer_table import all_answers

CONTENT_FREE = ("N/A", "", "[MASK]")
"""What stands in place of the row (Zhao et al. 2021, section 5)."""
METHODS = ("contextual", "pmi", "length")


def answer_table(
    prompted,
    rows,
    answers: Iterable[str],
    *,
    batch_size: int = 16,
    progress: bool = True,
) -> pd.DataFrame:
    """Return the log-probability of each answer after each row.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    rows : Dataset, DataFrame or iterable of dict
        With the template's columns; no ``answer`` is needed.
    answers : iterable of str
        Of one or several tokens each.

    Returns
    -------
    DataFrame, a line for each row and a column for each answer
        Natural logarithms, summed over an answer's tokens. ``.idxmax(axis=1)`` is what
        :meth:`Prompt.predict` gives.

    Raises
    ------
    DataError
        If a row lacks a column or is too long, there are no answers, one has no tokens,
        or two have the same.
    PromptError
        If the model's logits are NaN or infinite.
    """
    answers = list(dict.fromkeys(map(str, answers)))
    found = all_answers(
        prompted, rows, answers, batch_size=batch_size, progress=progress
    )
    return pd.DataFrame(found.double().numpy(), columns=answers)


def content_free_bias(
    prompted, answers: Iterable[str], inputs: Iterable[str] = CONTENT_FREE
) -> pd.Series:
    """Measure how probable each answer is where the row says nothing.

    Each content-free input stands in all of the template's fields. The probabilities
    are normalised over the answers and averaged over the inputs (Zhao et al. 2021,
    section 5); the bias is the logarithm.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    answers : iterable of str
    inputs : iterable of str
        One that leaves a causal model nothing to read, such as the empty one in
        ``"{text} {answer}"``, is passed over.

    Returns
    -------
    Series
        One natural logarithm for each answer; the probabilities add up to 1.

    Raises
    ------
    PromptError
        If no input leaves anything to read.
    DataError
        As :func:`answer_table`.
    """
    table = _content_free(prompted, answers, inputs)
    logs = log_softmax(table.to_numpy(), axis=1)
    return pd.Series(logsumexp(logs, axis=0) - np.log(len(logs)), table.columns)


def calibrate(
    table: pd.DataFrame, prompted, method: str = "contextual"
) -> pd.DataFrame:
    """Take off of each answer's log-probability what does not come from the row.

    Parameters
    ----------
    table : DataFrame
        From :func:`answer_table`.
    prompted : Prompt or PromptTuner
        The one that gave the table.
    method : "contextual", "pmi" or "length"
        "contextual": minus :func:`content_free_bias` (Zhao et al. 2021, section 5).
        "pmi": minus the log-probability after the prompt's own words alone, with empty
        fields, which leaves pointwise mutual information (the domain-conditional PMI of
        Holtzman et al. 2021, who choose the words by hand). "length": divided by the
        answer's number of tokens (Brown et al. 2020, section 2.4); it takes off no bias
        but that of the sum.

    Returns
    -------
    DataFrame
        Like ``table``; ``.idxmax(axis=1)`` is the calibrated prediction. The numbers
        are no log-probabilities any more, so they say nothing to other rows' numbers.

    Raises
    ------
    DataError
        If there is no such method.
    PromptError
        If no content-free input leaves anything to read; for "pmi": if the template has
        no words of its own.
    """
    check_method(method)
    if method == "length":
        ids = {answer: prompted.tokens.answer_ids(answer) for answer in table}
        return table / pd.Series({answer: len(found) for answer, found in ids.items()})
    if method == "pmi":
        return table - _content_free(prompted, table.columns, [""]).iloc[0]
    return table - content_free_bias(prompted, table.columns)


def check_method(method: str) -> None:
    """Raise DataError if ``method`` is not one of ``METHODS``."""
    if method not in METHODS:
        raise DataError(
            f"no calibration is called {method!r}: take {', '.join(METHODS)}, or "
            "None for plain log-probabilities"
        )


def _content_free(prompted, answers, inputs: Iterable[str]) -> pd.DataFrame:
    if isinstance(inputs, str):
        raise PromptError(f"inputs={inputs!r} is one text; give a list of texts")
    fields, inputs = prompted.template.fields, list(inputs)
    rows = [dict.fromkeys(fields, text) for text in inputs]
    if prompted.lm.kind == "causal":
        rows = [row for row in rows if _leaves_something(prompted, row)]
    if not rows:
        raise PromptError(
            f"the content-free inputs {inputs!r} leave nothing to read in "
            f"{prompted.template.text!r}: put words around the fields, or give other "
            "inputs"
        )
    return answer_table(prompted, rows, answers, progress=False)


def _leaves_something(prompted, row: dict) -> bool:
    try:
        prompted.tokens.prompt_ids(row)
    except DataError:
        return False
    return True
