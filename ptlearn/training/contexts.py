"""Whether keys and values of frozen contexts are worth keeping between steps."""

from collections.abc import Sequence

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
    frozen = [next((i for i, t in enumerate(e.ids) if t < 0), 0) for e in examples]
    saved = (visits - 1) * sum(frozen)
    return saved > READING_ALONE_COSTS * len(examples)
