"""Log-probabilities of answers, for prompts and for tuners alike.

Everything here takes a ``prompted``: a ``Prompt`` or a ``PromptTuner``, with ``lm``,
``tokens``, ``_plan`` and ``prompt_embeddings()``.
"""

import reprlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import DataError, PromptError
from ..tasks.rows import read_rows
from ..templates.tokenization import Example, own_answer
from .answer_masks import fill_masks
from .answer_trie import Ids, at_least_float32, search_answers
from .batches import batches_by_length, batches_with_bar
from .kv_cache import ContextCache


@dataclass
class Scores:
    """What a prompt says of some rows, one entry each.

    Attributes
    ----------
    predicted : list of str
        The most probable of the answers.
    predicted_log_prob : list of float
        Its log-probability, summed over its tokens (natural logarithm).
    gold_log_prob : list of float
        The same of the row's own answer; NaN for a row without one.
    hit : list of bool
        Strict P@1: each token of the row's answer is the most probable of the whole
        vocabulary, the tokens before it being given (teacher forcing).
    """

    predicted: list[str]
    predicted_log_prob: list[float]
    gold_log_prob: list[float]
    hit: list[bool]


@contextmanager
def inference(prompted):
    """Turn off gradients, and the dropout of a tuner that is in training."""
    training = getattr(prompted, "training", False)
    if training:
        prompted.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        if training:
            prompted.train()


def as_rows(rows) -> list[dict]:
    """Return the rows of a Dataset, DataFrame or list as a list of dicts.

    Raises
    ------
    DataError
        If these are no rows: one row alone, say, or the name of a file.
    """
    if isinstance(rows, Mapping | str | Path):
        kind = "a single dict" if isinstance(rows, Mapping) else "a text"
        raise DataError(
            f"rows is {kind}, {reprlib.repr(rows)}; give a list of dicts, such as "
            '[{"subject": "Osaka"}], a DataFrame or a Dataset. A file is read with '
            "pandas.read_csv."
        )
    return [dict(row) for row in read_rows(rows, "rows")]


def answer_log_probs(prompted, rows, *, batch_size: int = 16) -> Tensor:
    """Compute the log-probability of each row's answer, summed over its tokens.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    rows : Dataset, DataFrame or iterable of dict
        With the template's columns and ``answer``.

    Returns
    -------
    Tensor, shape (n,)
        Natural logarithms.

    Raises
    ------
    DataError
        If a row lacks a column or an answer, or is too long.
    PromptError
        If the model's logits are NaN or infinite.
    """
    examples = [prompted.tokens.encode(row) for row in as_rows(rows)]
    return score_own(prompted, examples, batch_size=batch_size).log_probs


@dataclass
class OwnScores:
    """What a prompt says of each row's own answer, as in :class:`Scores`."""

    log_probs: Tensor
    hits: list[bool]


def score_own(
    prompted,
    examples: Sequence[Example],
    *,
    batch_size: int = 16,
    context_cache: ContextCache | None = None,
) -> OwnScores:
    """Score each example's own answer, without a look at other answers.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    examples : sequence of Example
        From ``prompted.tokens.encode(row)``.
    context_cache : ContextCache, optional
        Keeps frozen contexts for the next pass over the same rows.

    Raises
    ------
    PromptError
        If the model's logits are NaN or infinite.
    """
    log_probs, hits = torch.empty(len(examples)), [False] * len(examples)
    with inference(prompted):
        table = prompted.prompt_embeddings()
        prefix = prompted._plan.shared_prefix(table, len(examples))
        for batch in batches_by_length([len(e.ids) for e in examples], batch_size):
            chosen = [examples[i] for i in batch]
            logits = prompted._plan.logits(table, chosen, prefix, context_cache)
            log_probs[batch] = sum_targets(logits, chosen).cpu().to(log_probs.dtype)
            best = iter(logits.argmax(dim=1).tolist())
            for i, example in zip(batch, chosen, strict=True):
                # A list, for all() would stop early and leave the rest of the row.
                hits[i] = all([next(best) == target for target in example.targets])
    bad = (~log_probs.isfinite()).nonzero().flatten().tolist()
    if bad:
        raise not_finite(prompted, table, bad)
    return OwnScores(log_probs, hits)


def not_finite(prompted, table: Tensor | None, bad: list[int]) -> PromptError:
    """Make the error that says that the logits of the rows ``bad`` are not finite.

    It says whether the prompt's table or the model is to blame.
    """
    lm = prompted.lm
    wrong = 0 if table is None else int((~table.isfinite()).sum())
    reason = (
        f"{wrong} of the {table.numel()} numbers in the prompt's table are NaN or "
        "infinite. Train again with a lower lr, or load a sound prompt"
        if wrong
        else f"the prompt is sound, so they arise in {lm.name} ({lm.product_dtype} on "
        f'{lm.device}). Try load_lm(..., dtype="float32")'
    )
    others = f" and {len(bad) - 1} others" if len(bad) > 1 else ""
    return PromptError(
        f"the logits of row {bad[0]}{others} (counted from 0) are NaN or infinite: "
        f"{reason}"
    )


def answer_logits(prompted, rows) -> Tensor:
    """Return the logits that each row's answer is scored by.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    rows : Dataset, DataFrame or iterable of dict
        With the template's columns and ``answer``; read as one batch.

    Returns
    -------
    Tensor, shape (total number of answer tokens, vocabulary size)
        The rows' answers one after another.

    Raises
    ------
    DataError
        If a row lacks a column or an answer, or is too long.
    """
    examples = [prompted.tokens.encode(row) for row in as_rows(rows)]
    with inference(prompted):
        return prompted._plan.logits(prompted.prompt_embeddings(), examples)


def sum_targets(logits: Tensor, examples: Sequence[Example]) -> Tensor:
    """Sum the log-probabilities of each example's targets.

    Parameters
    ----------
    logits : Tensor, shape (total number of target tokens, vocabulary size)
        As :meth:`ForwardPlan.logits` gives them.

    Returns
    -------
    Tensor, shape (len(examples),)
        Natural logarithms, with gradient.
    """
    targets = [t for e in examples for t in e.targets]
    owner = [i for i, e in enumerate(examples) for _ in e.targets]
    targets = torch.tensor(targets, device=logits.device)
    log_probs = -torch.nn.functional.cross_entropy(
        at_least_float32(logits), targets, reduction="none"
    )
    zeros = log_probs.new_zeros(len(examples))
    return zeros.index_add(0, torch.tensor(owner, device=logits.device), log_probs)


def score(
    prompted,
    rows,
    answers: Sequence[str],
    *,
    batch_size: int = 16,
    context_cache: ContextCache | None = None,
    progress: bool = True,
) -> Scores:
    """Find each row's most probable answer, and what its own answer gets.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    rows : Dataset, DataFrame or iterable of dict
        With the template's columns; ``answer`` is used where a row has it.
    answers : sequence of str
        The answers to choose from, of one or several tokens each. What is no string is
        taken as ``str(answer)``.
    context_cache : ContextCache, optional
        Keeps frozen contexts for the next pass over the same rows.

    Returns
    -------
    Scores
        In the order of the rows.

    Raises
    ------
    DataError
        If a row lacks a column or is too long, there are no answers, one has no tokens,
        or two have the same.
    PromptError
        If the model's logits are NaN or infinite.
    """
    rows, plan = as_rows(rows), prompted._plan
    candidates = candidates_by_ids(prompted, answers)
    if prompted.lm.kind == "causal":
        _warn_of_beginnings(candidates)
    own = [own_answer(row) for row in rows]
    gold = [() if answer is None else plan.tokens.answer_ids(answer) for answer in own]
    lengths = _lengths(plan, rows, own, gold, candidates)
    read = search_answers if prompted.lm.kind == "causal" else fill_masks
    results: list = [None] * len(rows)
    with inference(prompted):
        table = prompted.prompt_embeddings()
        prefix = plan.shared_prefix(table, len(rows))
        for batch in batches_with_bar(lengths, batch_size, progress):
            chosen = [rows[i] for i in batch], [gold[i] for i in batch]
            found = read(plan, table, *chosen, candidates, prefix, context_cache)
            bad = [i for i, one in zip(batch, found, strict=True) if not one.finite]
            if bad:
                raise not_finite(prompted, table, sorted(bad))
            for i, result in zip(batch, found, strict=True):
                results[i] = result
    return Scores(
        [candidates[result.best] for result in results],
        [result.best_log_prob for result in results],
        [result.gold_log_prob for result in results],
        [result.hit for result in results],
    )


def candidates_by_ids(prompted, answers: Iterable) -> dict[Ids, str]:
    """Return :meth:`TemplateTokens.answers_by_ids`; DataError if there are none."""
    if candidates := prompted.tokens.answers_by_ids(answers):
        return candidates
    raise DataError("there are no answers to choose from: give at least one.")


def _lengths(plan, rows, own, gold, candidates) -> list[int]:
    """Count each row's tokens with the longest answer that it is read with."""
    longest = max(candidates, key=len)
    answers = [
        answer if len(ids) > len(longest) else candidates[longest]
        for answer, ids in zip(own, gold, strict=True)
    ]
    pairs = zip(rows, answers, strict=True)
    return [len(plan.tokens.encode(row, answer).ids) for row, answer in pairs]


def _warn_of_beginnings(candidates: dict[Ids, str]) -> None:
    """Warn of an answer that begins another: it is never less probable than it."""
    for ids, answer in candidates.items():
        for n in range(1, len(ids)):
            if ids[:n] in candidates:
                warnings.warn(
                    f"the answer {candidates[ids[:n]]!r} is the beginning of "
                    f"{answer!r}, and so always at least as probable: predictions "
                    "never choose the longer one. Rename one of them",
                    stacklevel=4,
                )
