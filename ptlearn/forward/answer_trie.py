"""The most probable of many answers, without reading them all."""

import heapq
import math

from torch import Tensor

Ids = tuple[int, ...]


class TrieSearch:
    """One row's way through the trie of answers, the most probable branch first.

    A beginning is at least as probable as any answer that goes on from it. So a branch
    whose beginning is less probable than the best whole answer found is never entered,
    and the result is still the exact best of all answers.
    """

    WIDTH = 4  # branches entered at once, so that the model reads them as one batch

    def __init__(self, children: dict[Ids, list[int]], candidates, gold: Ids):
        self.children, self.candidates, self.gold = children, candidates, gold
        self.best: Ids = ()
        self.best_log_prob = -math.inf
        self.gold_log_prob = 0.0 if gold else math.nan
        self.hit = bool(gold)
        self._log_prob = {(): 0.0}  # of every beginning met so far
        self._frontier: list[tuple[float, Ids]] = []
        self._gold_paths = [gold[:n] for n in range(1, len(gold))]

    def learn(self, path: Ids, log_probs: Tensor) -> None:
        """Take in the distribution of the token after ``path``, shape (vocabulary,)."""
        if path in self._on_gold():
            token = self.gold[len(path)]
            self.gold_log_prob += log_probs[token].item()
            self.hit &= log_probs.argmax().item() == token
        if path not in self._log_prob:
            return  # read for the gold answer alone
        tokens = self.children.get(path, [])
        for token, log_prob in zip(tokens, log_probs[tokens].tolist(), strict=True):
            longer = (*path, token)
            total = self._log_prob[path] + log_prob
            if longer in self.candidates and total > self.best_log_prob:
                self.best, self.best_log_prob = longer, total
            if longer in self.children:
                self._log_prob[longer] = total
                heapq.heappush(self._frontier, (-total, longer))

    def next_paths(self) -> list[Ids]:
        """Beginnings whose next token must be known; none when the walk is over."""
        paths, self._gold_paths = self._gold_paths, []
        while self._frontier and len(paths) < self.WIDTH:
            log_prob, path = heapq.heappop(self._frontier)
            if -log_prob <= self.best_log_prob:
                self._frontier.clear()
            elif path not in paths:
                paths.append(path)
        return paths

    def _on_gold(self) -> set[Ids]:
        return {self.gold[:n] for n in range(len(self.gold))}
