"""The most probable of many answers under a masked model, which fills gaps."""

import math
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from .answer_trie import AnswerScore, Ids, log_softmax
from .kv_cache import ContextCache, KVCache
from .plan import ForwardPlan


def fill_masks(
    plan: ForwardPlan,
    table: Tensor | None,
    rows: Sequence[dict],
    gold: Sequence[Ids],
    candidates: Collection[Ids],
    prefix: KVCache | None,
    context_cache: ContextCache | None,
) -> list[AnswerScore]:
    """Find the best answer of each row of a batch.

    Each answer has its own number of masks, which are filled jointly: the
    log-probabilities at its masks are summed. Parameters and what is returned are those
    of :func:`search_answers`.
    """
    found = [AnswerScore((), -math.inf, math.nan, False, True) for _ in rows]
    for length in sorted({len(ids) for ids in [*candidates, *gold] if ids}):
        examples = [plan.tokens.encode_masked(row, length) for row in rows]
        logits = plan.logits(table, examples, prefix, context_cache)
        log_probs = log_softmax(logits).view(len(rows), length, -1)
        same = [ids for ids in candidates if len(ids) == length]
        found = _best_of(found, log_probs, same)
        found = _with_gold(found, log_probs, gold)
    return found


def _best_of(
    found: list[AnswerScore], log_probs: Tensor, answers: list[Ids]
) -> list[AnswerScore]:
    """Compare what was found with answers of ``log_probs.shape[1]`` tokens."""
    if not answers:
        return found
    ids = torch.tensor(answers, device=log_probs.device)
    totals, places = torch.stack([sum_at(one, ids) for one in log_probs]).max(1)
    return [
        one._replace(best=answers[place], best_log_prob=total)
        if total > one.best_log_prob
        else one
        for one, total, place in zip(
            found, totals.tolist(), places.tolist(), strict=True
        )
    ]


def _with_gold(
    found: list[AnswerScore], log_probs: Tensor, gold: Sequence[Ids]
) -> list[AnswerScore]:
    """Add the scores of the rows' own answers of ``log_probs.shape[1]`` tokens."""
    found = list(found)
    top_log_probs, top = log_probs.max(-1)
    finite, top = top_log_probs.isfinite().all(1).tolist(), top.tolist()
    own = [i for i, ids in enumerate(gold) if len(ids) == log_probs.shape[1]]
    ids = torch.tensor([gold[i] for i in own], device=log_probs.device)
    sums = [sum_at(log_probs[i], one[None]) for i, one in zip(own, ids, strict=True)]
    totals = torch.cat(sums).tolist() if own else []
    for i, total in zip(own, totals, strict=True):
        hit = top[i] == list(gold[i])
        found[i] = found[i]._replace(gold_log_prob=total, hit=hit)
    return [
        one._replace(finite=one.finite and ok)
        for one, ok in zip(found, finite, strict=True)
    ]


def sum_at(log_probs: Tensor, ids: Tensor) -> Tensor:
    """Sum over positions of (length, vocabulary) at (n, length) ids, shape (n,)."""
    return log_probs.gather(1, ids.T).sum(0)
