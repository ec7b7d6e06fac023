"""Label words: which words should stand for a task's answers (a verbalizer).

One pass over the rows gives the log-probability of every single-token word in the
answer's place, so any number of candidates is compared without training and without
further passes (as in Gao et al. 2021, section 4.1).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import prod

import numpy as np
import pandas as pd

from ..errors import DataError
from ..forward import scoring
from ..forward.answer_table import all_tokens
from ..tasks.task import Task
from .report import wilson_interval

MOST_COMBINATIONS = 5000
DRAWS = 1000


def word_log_probs(
    prompted,
    rows,
    words: Iterable[str],
    *,
    batch_size: int = 16,
    progress: bool = True,
) -> pd.DataFrame:
    """Return how probable each word is as the answer of each row, in one pass.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    rows : Dataset, DataFrame or iterable of dict
        With the template's columns; no ``answer`` is needed.
    words : iterable of str
        Each a single token in the answer's place.

    Returns
    -------
    DataFrame, a line for each row and a column for each word
        Natural logarithms, over the whole vocabulary.

    Raises
    ------
    DataError
        If a word has several tokens, or two words have the same one; if a row lacks a
        column or is too long.
    """
    words = list(dict.fromkeys(map(str, words)))
    ids = [_only_token(prompted, word) for word in words]
    prompted.tokens.answers_by_ids(words)  # two words of one token are refused here
    found = all_tokens(prompted, rows, batch_size=batch_size, progress=progress)
    return pd.DataFrame(found[:, ids].double().numpy(), columns=words)


def score_label_words(
    prompted,
    task: Task,
    candidates: Mapping[str, Sequence[str]],
    *,
    split: str = "dev",
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Score every combination of candidate label words on a split, without training.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    task : Task
        With its own answers, not yet relabelled.
    candidates : dict of str to list of str
        For each answer of the task, the words that may stand for it; each a single
        token.
    split : "train", "dev" or "test"
        What chooses. Never test.
    seed : int
        For the draws behind ``chosen``.

    Returns
    -------
    DataFrame, one line for each combination, the best first
        A column for each answer of the task, with its word; ``accuracy`` with its 95 %
        interval ``low`` and ``high``; ``n`` (rows); and ``chosen``: in which share of
        1,000 sets of ``n`` rows, drawn from these with replacement, the combination
        would have come out best (equally good ones share the draw). A best one that is
        rarely chosen was lucky: its accuracy is too high, and other rows would have
        chosen another. ``task.with_label_words(dict(frame.loc[0, task.answers]))``
        takes the best.

    Raises
    ------
    DataError
        If an answer has no candidates or a word several tokens, if each combination
        has one word for two answers, or if there are more than 5,000 combinations; as
        :func:`word_log_probs` besides.
    """
    candidates = _checked_candidates(task, candidates)
    chosen = _combinations(candidates)
    rows = scoring.as_rows(task.split(split))
    words = [word for of_answer in candidates.values() for word in of_answer]
    table = word_log_probs(prompted, rows, words, progress=progress)
    right = np.array([task.answers.index(str(row["answer"])) for row in rows])
    hits = np.array(
        [table[list(one)].to_numpy().argmax(axis=1) == right for one in chosen]
    )
    frame = pd.DataFrame(chosen, columns=task.answers)
    frame["accuracy"] = hits.mean(axis=1)
    ends = [wilson_interval(int(k), len(rows)) for k in hits.sum(axis=1)]
    frame[["low", "high"]] = ends
    frame["n"] = len(rows)
    frame["chosen"] = _share_chosen(hits, seed)
    order = ["accuracy", "chosen"]
    return frame.sort_values(order, ascending=False, kind="stable", ignore_index=True)


def frequent_words(
    prompted, task: Task, number: int = 10, *, split: str = "train"
) -> dict[str, list[str]]:
    """Find words that stand more often in the rows of one answer than in the others'.

    No language model reads the rows: words are counted, and ranked by the chi-squared
    statistic of word and answer. Only words of a single token are taken.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
        Its tokenizer and template say what a single token is.
    task : Task
    number : int
        How many words for each answer, at most.
    split : "train", "dev" or "test"
        What is counted.

    Returns
    -------
    dict of str to list of str
        For each answer of the task its words, the most typical first.

    Raises
    ------
    DataError
        If the task has no such split, or its rows have no words, or no row has an
        answer, or all rows have the same.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.feature_selection import chi2

    rows = scoring.as_rows(task.split(split))
    texts = [" ".join(str(row[column]) for column in task.inputs) for row in rows]
    right = np.array([str(row["answer"]) for row in rows])
    _check_contrast(task, split, set(right))
    counter = CountVectorizer(binary=True)
    try:
        counts = counter.fit_transform(texts)
    except ValueError as error:
        raise DataError(f"the {split} rows of {task.name} have no words") from error
    words = counter.get_feature_names_out()
    found = {}
    for answer in task.answers:
        own = right == answer
        share, others = (np.asarray(counts[mask].mean(axis=0)) for mask in (own, ~own))
        typical = np.where((share > others).ravel(), chi2(counts, own)[0], 0)
        ranked = (words[i] for i in np.argsort(-typical, kind="stable") if typical[i])
        single = (word for word in ranked if len(prompted.tokens.answer_ids(word)) == 1)
        found[answer] = [word for word, _ in zip(single, range(number), strict=False)]
    return found


def _check_contrast(task: Task, split: str, seen: set[str]) -> None:
    """Refuse rows in which no word can be typical of some answer."""
    where = f"{split} row of {task.name}"
    advice = "take a split that has rows of every answer, and of two at least."
    for answer in task.answers:
        if answer not in seen:
            raise DataError(
                f"no {where} has the answer {answer!r}, so no word can be typical of "
                f"it: {advice}"
            )
    if len(seen) == 1:
        raise DataError(
            f"every {where} has the answer {task.answers[0]!r}, so there is nothing to "
            f"compare its words with: {advice}"
        )


def _only_token(prompted, word: str) -> int:
    ids = prompted.tokens.answer_ids(word)
    if len(ids) > 1:
        tokenizer = prompted.lm.tokenizer
        pieces = ", ".join(repr(tokenizer.decode([i])) for i in ids)
        raise DataError(
            f"{word!r} has {len(ids)} tokens ({pieces}), and one pass compares "
            "words of a single token: take a shorter word, or score it with "
            "task.with_label_words(...) and evaluate"
        )
    return ids[0]


def _checked_candidates(task: Task, candidates: Mapping) -> dict[str, list[str]]:
    found = {}
    for answer in task.answers:
        words = candidates.get(answer, ())
        if isinstance(words, str):
            words = [words]
        if not words:
            raise DataError(
                f"no candidate words for the answer {answer!r}: give a list for "
                f"each of {', '.join(task.answers)}"
            )
        found[answer] = list(dict.fromkeys(map(str, words)))
    number = prod(map(len, found.values()))
    if number > MOST_COMBINATIONS:
        raise DataError(
            f"{number:,} combinations of label words are more than "
            f"{MOST_COMBINATIONS:,}: give fewer candidates"
        )
    return found


def _combinations(candidates: dict[str, list[str]]) -> list[tuple[str, ...]]:
    """Return every choice of one word for each answer, all of them different."""
    chosen = [c for c in product(*candidates.values()) if len(set(c)) == len(c)]
    if not chosen:
        raise DataError(
            "every combination has one word for two answers, which no prediction can "
            f"tell apart; give more words than {candidates!r}"
        )
    return chosen


def _share_chosen(hits: np.ndarray, seed: int) -> np.ndarray:
    """In which share of draws each line of ``hits`` is best, shape (combinations,)."""
    n = hits.shape[1]
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), DRAWS)
    scores = counts @ hits.T.astype(np.int64)
    best = scores == scores.max(axis=1, keepdims=True)
    return (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
