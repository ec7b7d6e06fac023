"""Whether keys and values of frozen contexts are worth keeping between steps."""

from collections.abc import Sequence

from ..forward.kv_cache import ContextCache
from ..templates.tokenization import Example

READING_ALONE_COSTS = 32
"""Reading one context alone costs about as much as this many tokens in a batch."""


def pays_to_keep(examples: Sequence[Example], visits: float) -> bool:
    """Return whether reading frozen contexts alone, once, saves time in a run.

    Read alone, a context costs a whole pass over the weights, however short it is;
    each later visit saves its tokens. The first visit saves nothing. A run that
    meets short examples once or twice is faster reading them with the rest. Only the
    settings and the rows decide, so that a resumed run decides alike.

    Parameters
    ----------
    visits : float
        How often the run meets each example.
    """
    saved = (visits - 1) * _frozen_tokens(examples)
    return saved > READING_ALONE_COSTS * len(examples)


def context_caches(
    splits: Sequence[tuple[Sequence[Example], float]], max_bytes: int
) -> list[ContextCache | None]:
    """Return a cache for each split; None where it does not pay.

    Each split gets a share of the memory in proportion to its frozen tokens. So
    whatever fits together is kept, and no split takes all from another.

    Parameters
    ----------
    splits : sequence of (examples, visits)
        As in :func:`pays_to_keep`.
    max_bytes : int
        Of all caches together.
    """
    tokens = [
        _frozen_tokens(examples) if pays_to_keep(examples, visits) else 0
        for examples, visits in splits
    ]
    return [ContextCache(max_bytes * n // sum(tokens)) if n else None for n in tokens]


def _frozen_tokens(examples: Sequence[Example]) -> int:
    """Return how many tokens come before the first virtual one, in all examples."""
    return sum(next((i for i, t in enumerate(e.ids) if t < 0), 0) for e in examples)
