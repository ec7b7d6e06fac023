"""Keys and values of tokens that a language model has read, and where they are kept."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import LongTensor, Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from ..lm.language_model import LanguageModel

Ids = Sequence[int]


@dataclass(frozen=True)
class KVCache:
    """Keys and values of tokens that were read, a row of them for each sequence.

    Attributes
    ----------
    states : list of (keys, values), one pair a layer
        Each of shape (n, num_heads, length, head_dim). ``n`` is 1 for a prefix that the
        whole batch shares.
    mask : LongTensor, shape (n, length)
        0 where a row has padding.
    """

    states: list[tuple[Tensor, Tensor]]
    mask: LongTensor

    def expand(self, n: int) -> "KVCache":
        """Give each of ``n`` rows the same keys and values, without a copy."""
        if len(self.mask) == n:
            return self
        states = [
            (k.expand(n, -1, -1, -1), v.expand(n, -1, -1, -1)) for k, v in self.states
        ]
        return KVCache(states, self.mask.expand(n, -1))

    def take(self, rows: LongTensor) -> "KVCache":
        """Select rows, which may repeat."""
        return KVCache([(k[rows], v[rows]) for k, v in self.states], self.mask[rows])

    def to_dynamic(self) -> DynamicCache:
        """Return it in the library's own class."""
        cache = DynamicCache()
        for keys, values in self.states:
            # Set directly: the constructor would copy every layer once more.
            layer = DynamicLayer()
            layer.lazy_initialization(keys, values)
            layer.keys, layer.values = keys, values
            cache.layers.append(layer)
        return cache

    @classmethod
    def from_dynamic(cls, cache: DynamicCache, mask: LongTensor) -> "KVCache":
        """Take it from the library's own class; ``mask`` of shape (n, length)."""
        return cls([(layer.keys, layer.values) for layer in cache.layers], mask)


class ContextCache:
    """Keys and values of frozen contexts, kept up to a bound in bytes.

    Each context is computed alone, as a batch of one. Its bits then depend on nothing
    but its own tokens: not on its batch mates, nor on the step, nor on whether it was
    kept or had to be computed again. So a resumed run, and one whose cache is too
    small, give the same bits as any other.

    Parameters
    ----------
    max_bytes : int
        When the bound is reached, further contexts are computed at each visit.

    Attributes
    ----------
    bytes : int
        What is kept now. About 46 kB a token for the embedded model in float32.
    hits, misses : int
        Visits answered from the cache, and visits that had to be computed.
    """

    def __init__(self, max_bytes: int = 2**30):
        self.max_bytes, self.bytes = max_bytes, 0
        self.hits = self.misses = 0
        self._kept: dict[tuple[int, ...], Tensor] = {}

    def get(self, ids: Ids, compute: Callable[[Ids], Tensor]) -> Tensor:
        """Return the keys and values of ``ids``: those kept, or ``compute(ids)``.

        Returns
        -------
        Tensor, shape (num_layers, 2, num_heads, length, head_dim)
        """
        key = tuple(ids)
        if key in self._kept:
            self.hits += 1
            return self._kept[key]
        self.misses += 1
        states = compute(key)
        if self.bytes + states.nbytes <= self.max_bytes:
            self._kept[key] = states
            self.bytes += states.nbytes
        return states


_PLAIN_CACHE: WeakKeyDictionary[LanguageModel, bool] = WeakKeyDictionary()


def has_plain_cache(lm: LanguageModel) -> bool:
    """Whether the model keeps simply the keys and values of every token it read.

    Warns once for a model that does not.
    """
    if lm not in _PLAIN_CACHE:
        one = torch.ones(1, 1, dtype=torch.long, device=lm.device)
        with torch.no_grad():
            out = lm.model(inputs_embeds=lm.embed(one), use_cache=True)
        cache = getattr(out, "past_key_values", None)
        _PLAIN_CACHE[lm] = isinstance(cache, DynamicCache) and all(
            type(layer) is DynamicLayer for layer in cache.layers
        )
        if not _PLAIN_CACHE[lm]:
            warnings.warn(
                f"{lm.name} has a KV cache of another kind than keys and values of "
                f"every token ({type(cache).__name__}): ptlearn takes the plain, "
                "slower forward for it",
                stacklevel=4,
            )
    return _PLAIN_CACHE[lm]
