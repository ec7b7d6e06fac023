"""The order in which a run meets its examples."""

from collections.abc import Iterator, Sequence

import torch

SORTED_TOGETHER = 8
"""Batches whose examples are sorted by length together."""


def batch_order(
    lengths: Sequence[int], batch_size: int, seed: int
) -> Iterator[list[int]]:
    """Yield batches of example numbers without end; an epoch has each number once.

    Examples are shuffled; then those of like length among the next eight batches go
    together, so that little is padding. The order depends on the seed alone, so a
    resumed run skips what was done and meets the same batches.
    """
    epoch = 0
    while True:
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        order = torch.randperm(len(lengths), generator=generator).tolist()
        batches = []
        for group in _cut(order, SORTED_TOGETHER * batch_size):
            batches += _cut(sorted(group, key=lengths.__getitem__), batch_size)
        for i in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[i]
        epoch += 1


def _cut(items: list[int], size: int) -> list[list[int]]:
    return [items[i : i + size] for i in range(0, len(items), size)]
