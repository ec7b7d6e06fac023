"""The most probable of many answers, without reading them all.

The prompt is read once; answers that begin alike share what is read of them.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from .kv_cache import ContextCache, KVCache
from .plan import ForwardPlan

Ids = tuple[int, ...]
READ_AT_ONCE = 4096
"""Tokens of KV cache that are read on from in one batch: some 190 MB of copies."""


class AnswerScore(NamedTuple):
    """What one row's search found.

    Attributes
    ----------
    best : tuple of int
        Token ids of the most probable answer.
    best_log_prob, gold_log_prob : float
        Its log-probability, and that of the row's own answer (NaN if it has none).
    hit : bool
        Whether each token of the row's own answer was the most probable of all.
    finite : bool
        False where logits were NaN or infinite, so that the rest says nothing.
    """

    best: Ids
    best_log_prob: float
    gold_log_prob: float
    hit: bool
    finite: bool


class TrieSearch:
    """One row's search in the trie of answers, the most probable branch first.

    A beginning is at least as probable as any answer that goes on from it. So a branch
    whose beginning is less probable than the best whole answer found is never entered,
    and the result is still the exact best of all answers.

    Parameters
    ----------
    children : dict of tuple of int to list of int
        Each beginning of an answer, and the tokens that can follow it.
    candidates : collection of tuple of int
        Token ids of the answers.
    gold : tuple of int
        Those of the row's own answer; empty if it has none.
    """

    WIDTH = 4  # branches entered at once, so that the model reads them as one batch

    def __init__(
        self, children: dict[Ids, list[int]], candidates: Iterable[Ids], gold: Ids
    ):
        self.children, self.candidates, self.gold = children, candidates, gold
        self.best: Ids = ()
        self.best_log_prob = -math.inf
        self.gold_log_prob = 0.0 if gold else math.nan
        self.hit = bool(gold)
        self.finite = True
        self._log_prob = {(): 0.0}  # of every beginning met so far
        self._frontier: list[tuple[float, Ids]] = []
        self._gold_paths = [gold[:n] for n in range(1, len(gold))]
        # Never read twice: the gold answer's log-probabilities would be added again.
        self._asked = set(self._gold_paths)

    def tokens_after(self, path: Ids) -> list[int]:
        """Return the tokens whose log-probability after ``path`` must be known."""
        tokens = self.children.get(path, [])
        return [*tokens, self.gold[len(path)]] if self._is_on_gold(path) else tokens

    def learn(
        self, path: Ids, log_probs: Sequence[float], top: float, top_log_prob: float
    ) -> None:
        """Take in what the model says after ``path``.

        Parameters
        ----------
        log_probs : sequence of float
            Of :meth:`tokens_after` the path, in that order.
        top : number
            The most probable token of the whole vocabulary.
        top_log_prob : float
            Its log-probability; NaN if any logit is NaN or infinite.
        """
        self.finite &= math.isfinite(top_log_prob)
        if self._is_on_gold(path):
            *log_probs, of_gold = log_probs
            self.gold_log_prob += of_gold
            self.hit &= top == self.gold[len(path)]
        if path not in self._log_prob:
            return  # read for the gold answer alone
        tokens = self.children.get(path, [])
        for token, log_prob in zip(tokens, log_probs, strict=True):
            longer = (*path, token)
            total = self._log_prob[path] + log_prob
            if longer in self.candidates and total > self.best_log_prob:
                self.best, self.best_log_prob = longer, total
            if longer in self.children:
                self._log_prob[longer] = total
                heapq.heappush(self._frontier, (-total, longer))

    def next_paths(self) -> list[Ids]:
        """Return beginnings whose next token must be known; none at the end."""
        paths, self._gold_paths = self._gold_paths, []
        while self._frontier and len(paths) < self.WIDTH:
            log_prob, path = heapq.heappop(self._frontier)
            if -log_prob <= self.best_log_prob:
                self._frontier.clear()
            elif path not in self._asked:
                self._asked.add(path)
                paths.append(path)
        return paths

    def result(self) -> AnswerScore:
        """Return what was found; not finite where no answer has a probability."""
        finite = self.finite and bool(self.best)
        return AnswerScore(
            self.best, self.best_log_prob, self.gold_log_prob, self.hit, finite
        )

    def _is_on_gold(self, path: Ids) -> bool:
        return len(path) < len(self.gold) and path == self.gold[: len(path)]


def search_answers(
    plan: ForwardPlan,
    table: Tensor | None,
    rows: Sequence[dict],
    gold: Sequence[Ids],
    candidates: Iterable[Ids],
    prefix: KVCache | None,
    context_cache: ContextCache | None,
) -> list[AnswerScore]:
    """Search the best answer of each row of a batch, under a causal model.

    Parameters
    ----------
    plan : ForwardPlan
    table : Tensor, shape (num_virtual_tokens, token_dim), or None
    rows : n dicts
    gold : n tuples of int
        Token ids of the rows' own answers; empty for a row without one.
    candidates : collection of tuple of int
        Token ids of the answers to choose from.
    prefix, context_cache
        As :meth:`ForwardPlan.logits` takes them.

    Returns
    -------
    list of AnswerScore, one a row
    """
    children: dict[Ids, list[int]] = defaultdict(list)
    for path in sorted({ids[: n + 1] for ids in candidates for n in range(len(ids))}):
        children[path[:-1]].append(path[-1])
    searches = [TrieSearch(dict(children), candidates, ids) for ids in gold]
    prompts = [tuple(plan.tokens.prompt_ids(row)[0]) for row in rows]
    further = any(len(ids) > 1 for ids in [*candidates, *gold])
    logits, kv_cache = plan.read_prompts(
        table, prompts, prefix, context_cache, keep=further
    )
    asked = [(row, ()) for row in range(len(rows))]
    while asked:
        _learn(searches, asked, log_softmax(logits))
        asked = [
            (row, path)
            for row, search in enumerate(searches)
            for path in search.next_paths()
        ]
        logits = read_on(plan, table, prompts, kv_cache, asked)
    return [search.result() for search in searches]


def _learn(searches: list[TrieSearch], asked, log_probs: Tensor) -> None:
    """Look up all that the searches asked for, and wait for the device once."""
    wanted = [searches[row].tokens_after(path) for row, path in asked]
    owners = [i for i, tokens in enumerate(wanted) for _ in tokens]
    places = [token for tokens in wanted for token in tokens]
    chosen = log_probs[torch.tensor(owners), torch.tensor(places)]
    top_log_probs, top = log_probs.max(-1)  # of a vocabulary that float32 can count
    found = iter(torch.cat([chosen, top_log_probs, top.to(chosen)]).tolist())
    chosen = [list(islice(found, len(tokens))) for tokens in wanted]
    top_log_probs = list(islice(found, len(asked)))
    for (row, path), *learnt in zip(asked, chosen, found, top_log_probs, strict=True):
        searches[row].learn(path, *learnt)


def read_on(plan, table, prompts, kv_cache, asked) -> Tensor:
    """Compute logits after the beginnings of answers, in batches of bounded size."""
    longest = max(map(len, prompts))
    size = max(1, READ_AT_ONCE // longest)
    parts = []
    for start in range(0, len(asked), size):
        rows, paths = zip(*asked[start : start + size], strict=True)
        if kv_cache is None:  # nothing to go on from: all is read again
            whole = [prompts[row] + path for row, path in zip(rows, paths, strict=True)]
            parts.append(plan.read(table, whole, keep=False)[0])
        else:
            taken = kv_cache.take(torch.tensor(rows, device=kv_cache.mask.device))
            parts.append(plan.read(table, paths, taken, keep=False)[0])
    return torch.cat(parts) if parts else torch.empty(0)


def log_softmax(logits: Tensor) -> Tensor:
    """Turn logits into log-probabilities of the last dimension, at least in float32."""
    return at_least_float32(logits).log_softmax(-1)


def at_least_float32(logits: Tensor) -> Tensor:
    """Return logits in float32 or finer.

    Sums over a vocabulary of 49,152 in bfloat16 would lose two digits of the loss.
    """
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
