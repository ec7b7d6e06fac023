"""Whether keys and values of frozen contexts are worth keeping between steps."""

import warnings
from collections.abc import Sequence

from ..forward.kv_cache import ContextCache, frozen_context
from ..templates.tokenization import Example

KEEPING_COSTS = 8
"""Keeping one context, and putting it before the live tokens at each step, costs about
as much as reading this many tokens once.

Four of them follow from ``PREFIX_COSTS``: contexts are read apart, which goes through
the weights once more, as 64 tokens of a batch do, and a group of 16 shares that.
Copying keys and values costs little: the embedded model's 46 kB a token take some
microseconds, a token's products some 500. The rest is for the calls that a visit makes
more, and to be on the safe side; ``benchmarks/keeping.py`` measures all of it.
"""


def pays_to_keep(examples: Sequence[Example], visits: float) -> bool:
    """Return whether keeping the examples' frozen contexts saves time in a run.

    The first visit reads a context; each later one saves its tokens. Only the settings
    and the rows decide, so that a resumed run decides alike.

    Parameters
    ----------
    visits : float
        How often the run meets each example.
    """
    return (visits - 1) * _tokens(examples) > KEEPING_COSTS * len(examples)


def context_caches(
    splits: dict[str, tuple[Sequence[Example], float]],
    max_bytes: int,
    bytes_per_token: int,
) -> dict[str, ContextCache | None]:
    """Return a cache for each split; None where it does not pay or does not fit.

    A split's contexts are kept together or not at all: one context that must be read
    again makes its whole batch as long as itself. Those that are met most often come
    first.

    Parameters
    ----------
    splits : dict of str to (examples, visits)
        As in :func:`pays_to_keep`.
    max_bytes : int
        Of all caches together.
    bytes_per_token : int
        See :meth:`ForwardPlan.bytes_per_token`.
    """
    caches: dict[str, ContextCache | None] = dict.fromkeys(splits)
    left = max_bytes
    for name in sorted(splits, key=lambda name: splits[name][1], reverse=True):
        examples, visits = splits[name]
        if not pays_to_keep(examples, visits):
            continue
        contexts = {frozen_context(example.ids) for example in examples}
        needed = sum(map(len, contexts)) * bytes_per_token
        if needed <= left:
            caches[name] = ContextCache(example.ids for example in examples)
            left -= needed
        elif max_bytes:
            warnings.warn(
                f"the words before the virtual tokens of the {name} rows are read anew "
                f"at each step, for keeping them would take {needed / 2**20:,.0f} MiB "
                f"and {left / 2**20:,.0f} of kv_cache_bytes are left. With more, "
                "training is faster",
                stacklevel=5,  # the call of fit
            )
    return caches


def _tokens(examples: Sequence[Example]) -> int:
    """Return how many tokens come before the first virtual one, in all examples."""
    return sum(len(frozen_context(example.ids)) for example in examples)
