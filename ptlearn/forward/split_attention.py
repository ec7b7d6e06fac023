"""Attention of a few live tokens to many cached ones.

The library joins cached and live keys into one tensor, repeats them for every query
head, and computes a gradient for all of them. Where the cache is long that costs more
than the model's own matrix products. Here the cache stays where it is: two products
instead of a join, query heads that share a key head grouped instead of repeated, and
no gradient for cached keys and values that have none.
"""

import threading
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "ptlearn_split"
_ONE_AT_A_TIME = threading.RLock()


class SplitLayer(DynamicLayer):
    """A cache layer that hands out live keys with the cached ones attached to them.

    Keys and values have the shape (n, num_key_value_heads, length, head_dim).
    """

    def __init__(self, keys: Tensor, values: Tensor):
        super().__init__()
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values

    def update(self, key_states: Tensor, value_states: Tensor, *_, **__):
        """Return the live states; ``split_attention`` reads their ``cached``."""
        key_states.cached, value_states.cached = self.keys, self.values
        return key_states, value_states


def split_attention(
    module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **options,
) -> tuple[Tensor, None]:
    """Compute softmax attention over cached and live keys without joining them.

    Parameters
    ----------
    query : Tensor, shape (n, num_heads, live, head_dim)
    key, value : Tensor, shape (n, num_key_value_heads, live, head_dim)
        Those without the attribute ``cached`` go to the library's own attention.
    attention_mask : bool Tensor, shape (n, 1, live, cached + live), or None

    Returns
    -------
    output : Tensor, shape (n, live, num_heads, head_dim)
    weights : None
        As the library wants it.
    """
    if not hasattr(key, "cached"):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
    (n, heads, live, width), shared = query.shape, key.shape[1]
    scale = width**-0.5 if scaling is None else scaling
    # Heads that share a key head stand in one matrix, one below the other.
    grouped = (query * scale).reshape(n, shared, heads // shared * live, width)
    scores = torch.cat([grouped @ key.cached.mT, grouped @ key.mT], dim=-1)
    if attention_mask is not None:
        hidden = attention_mask.logical_not().repeat(1, 1, heads // shared, 1)
        scores = scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
    weights = scores.softmax(-1)
    before = key.cached.shape[2]
    output = weights[..., :before] @ value.cached + weights[..., before:] @ value
    return output.reshape(n, heads, live, width).transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, split_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)


def split_cache(states: list[tuple[Tensor, Tensor]]) -> DynamicCache:
    """Make a cache of (keys, values), a pair a layer, for :func:`split_attention`."""
    cache = DynamicCache()
    cache.layers.extend(SplitLayer(keys, values) for keys, values in states)
    return cache


def can_split(model) -> bool:
    """Whether the architecture lets its attention be chosen by name."""
    # Another thread may just be using split attention.
    known = model.config._attn_implementation in ("sdpa", NAME)
    return known and getattr(model, "_supports_attention_backend", False)


@contextmanager
def splitting(model):
    """Let the model use :func:`split_attention` inside the block.

    One thread at a time: the name is the whole model's, and a second thread would take
    it away from the first in the middle of its layers, or leave it behind.
    """
    config = model.config.get_text_config()
    with _ONE_AT_A_TIME:
        before = config._attn_implementation
        config._attn_implementation = NAME
        try:
            yield
        finally:
            config._attn_implementation = before
