"""Keys and values of tokens that a language model has read, and where they are kept."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import LongTensor, Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from ..errors import ModelError
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


def frozen_context(ids: Ids) -> Ids:
    """Return the ids before the first virtual token; none if there is no such token."""
    return ids[: next((i for i, code in enumerate(ids) if code < 0), 0)]


class ContextCache:
    """Keys and values of a data set's frozen contexts, read in fixed groups and kept.

    A context read alone leaves the processor half idle, and one that is read with its
    batch mates of the moment gets other bits with other mates. So the contexts are
    sorted once and cut into groups; whoever is visited first brings its whole group.
    The bits depend on the data set alone: not on the order of visits, the step, or
    where a resumed run takes up.

    Parameters
    ----------
    sequences : iterable of token ids
        All that will be visited, virtual tokens as negative codes; what stands before
        the first of them is the context. Repeated ones count once.

    Attributes
    ----------
    bytes : int
        What is kept now. About 46 kB a token for the embedded model in float32.
    groups_read : int
        How often a group was read.
    """

    GROUP = 16

    def __init__(self, sequences: Iterable[Ids]):
        contexts = {tuple(frozen_context(ids)) for ids in sequences} - {()}
        distinct = sorted(contexts, key=_by_length)
        groups = [
            tuple(distinct[i : i + self.GROUP])
            for i in range(0, len(distinct), self.GROUP)
        ]
        self._group_of = {ids: group for group in groups for ids in group}
        self._kept: dict[tuple[int, ...], Tensor] = {}
        self.bytes = self.groups_read = 0

    def get(self, ids: Ids, read: Callable[[Sequence[Ids]], list[Tensor]]) -> Tensor:
        """Return the keys and values of a context, reading its group if need be.

        Parameters
        ----------
        ids : token ids
            One of the data set's contexts.
        read : callable
            From a group of contexts to what this returns, for each.

        Returns
        -------
        Tensor, shape (num_layers, 2, num_heads, length, head_dim)
        """
        ids = tuple(ids)
        if ids not in self._kept:
            group = self._group_of[ids]
            self._kept.update(zip(group, read(group), strict=True))
            self.bytes += sum(self._kept[member].nbytes for member in group)
            self.groups_read += 1
        return self._kept[ids]


def _by_length(ids: Ids) -> tuple[int, Ids]:
    return len(ids), ids


_PLAIN_CACHE: WeakKeyDictionary[LanguageModel, bool] = WeakKeyDictionary()


def has_plain_cache(lm: LanguageModel) -> bool:
    """Whether the model keeps simply the keys and values of every token it read.

    Warns once for a causal model that does not: a sliding window (Gemma 3), or a state
    in place of a cache (Mamba).

    Raises
    ------
    ModelError
        If such a model reads padding as if it were tokens.
    """
    if lm not in _PLAIN_CACHE:
        one = torch.ones(1, 1, dtype=torch.long, device=lm.device)
        with torch.no_grad():
            out = lm.model(inputs_embeds=lm.embed(one), use_cache=True)
        cache = getattr(out, "past_key_values", None)
        plain = isinstance(cache, DynamicCache) and all(
            type(layer) is DynamicLayer for layer in cache.layers
        )
        if not plain:
            _refuse_if_padding_is_read(lm)
            warnings.warn(
                f"{lm.name} ({type(lm.model).__name__}) does not simply keep the keys "
                "and values of every token that it read: ptlearn takes the plain, "
                "slower forward for it",
                stacklevel=4,
            )
        _PLAIN_CACHE[lm] = plain
    return _PLAIN_CACHE[lm]


@torch.no_grad()
def _refuse_if_padding_is_read(lm: LanguageModel) -> None:
    """Read three tokens with and without padding before them: RWKV sees a difference.

    Rows of a batch are padded to one length, so their answers would depend on their
    batch mates.
    """
    ids = torch.tensor([[0, 0, 1, 2, 3]], device=lm.device)
    mask = torch.tensor([[0, 0, 1, 1, 1]], device=lm.device)
    padded = lm.model(inputs_embeds=lm.embed(ids), attention_mask=mask).logits[0, -1]
    alone = lm.model(inputs_embeds=lm.embed(ids[:, 2:])).logits[0, -1]
    # Above what rounding does to a few layers, in bfloat16 too.
    allowed = max(1e-3, 4 * torch.finfo(lm.product_dtype).eps) * alone.abs().max()
    if (padded - alone).abs().max() > allowed:
        raise ModelError(
            f"{lm.name} ({type(lm.model).__name__}) reads the padding of a batch as if "
            "it were tokens, so a row's answer would depend on the rows beside it. "
            "Choose a model that heeds the attention mask."
        )
