"""The forward pass: each part of a template computed as seldom as possible.

The language model is frozen, so a template falls into three parts.

1. *Shared lead*: a start that is the same in every row, such as the first virtual
   tokens of ``[V:3] {subject} [V:3] {answer}``. It is run once, as a batch of one, with
   gradient; its keys and values are then expanded over the batch.
2. *Frozen context*: words before the first virtual token, such as the review in
   ``{text} [V:6] {answer}``. No parameter changes what comes before it, so its keys
   and values never change: they are computed once for a whole run and kept.
3. *Live rest*: everything else, run for each row at each step, with logits only at the
   answer.

A causal model makes this exact: what stands later never changes what stands before.
Masked models read both ways, so they, and causal models whose cache is of another
kind, take the plain forward.
"""

import inspect
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import LongTensor, Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from .attention import can_split, split_cache, splitting
from .batching import Example, TemplateTokens, embed, pad
from .models import LanguageModel
from .templates import Template

Ids = Sequence[int]


@dataclass(frozen=True)
class Past:
    """Keys and values of tokens that were already read.

    Attributes
    ----------
    states : list of (keys, values), one pair a layer
        Each of shape (n, num_heads, length, head_dim). ``n`` is 1 for a lead that the
        whole batch shares.
    mask : LongTensor, shape (n, length)
        0 where a row has padding.
    """

    states: list[tuple[Tensor, Tensor]]
    mask: LongTensor

    def expand(self, n: int) -> "Past":
        """The same past for each of ``n`` rows, without a copy."""
        if len(self.mask) == n:
            return self
        states = [
            (k.expand(n, -1, -1, -1), v.expand(n, -1, -1, -1)) for k, v in self.states
        ]
        return Past(states, self.mask.expand(n, -1))

    def take(self, rows: LongTensor) -> "Past":
        """The past of the given rows, which may repeat."""
        return Past([(k[rows], v[rows]) for k, v in self.states], self.mask[rows])


class ContextStore:
    """Keys and values of frozen contexts, kept up to a bound in bytes.

    Each context is computed alone, as a batch of one. Its bits then depend on nothing
    but its own tokens: not on its batch mates, nor on the step, nor on whether it was
    kept or had to be computed again. So a resumed run, and one whose store is too
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
        Visits answered from the store, and visits that had to be computed.
    """

    def __init__(self, max_bytes: int = 2**30):
        self.max_bytes, self.bytes = max_bytes, 0
        self.hits = self.misses = 0
        self._kept: dict[tuple[int, ...], Tensor] = {}

    def get(self, ids: Ids, compute: Callable[[Ids], Tensor]) -> Tensor:
        """The states of ``ids``, kept from before or by ``compute(ids)``.

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


class Plan:
    """Runs a language model over the rows of one template.

    Parameters
    ----------
    lm : LanguageModel
    template : Template
    fast : bool
        False runs everything through the plain forward: the reference that tests and
        benchmarks compare with.
    padding_side : "left", "right" or None
        None is the side that fits: left for a causal model, whose answers then end
        together, so that few positions need logits; right for a masked one.

    Raises
    ------
    EncodingError
        If the template does not fit the kind of language model.
    """

    def __init__(
        self,
        lm: LanguageModel,
        template: Template,
        *,
        fast: bool = True,
        padding_side: str | None = None,
    ):
        self.lm, self.tokens = lm, TemplateTokens(lm, template)
        self.padding_side = padding_side or ("left" if lm.kind == "causal" else "right")
        self.fast = fast and lm.kind == "causal" and _has_plain_cache(lm)
        self._can_split = can_split(lm.model)
        accepted = inspect.signature(lm.model.forward).parameters
        self._takes_positions = "position_ids" in accepted
        self._takes_logits_to_keep = "logits_to_keep" in accepted

    def lead(self, table: Tensor | None) -> Past | None:
        """Read the shared lead: once a step in training, once a data set otherwise.

        Parameters
        ----------
        table : Tensor, shape (num_virtual_tokens, token_dim), or None

        Returns
        -------
        Past or None
            None where the template has no shared lead, or the plan is not fast.
        """
        if not self.fast or not self.tokens.shared_ids:
            return None
        return self.read(table, [self.tokens.shared_ids])[1]

    def logits(
        self,
        table: Tensor | None,
        examples: Sequence[Example],
        lead: Past | None = None,
        store: ContextStore | None = None,
    ) -> Tensor:
        """Logits at the answer positions, and nowhere else.

        Parameters
        ----------
        table : Tensor, shape (num_virtual_tokens, token_dim), or None
        examples : sequence of Example
        lead : Past, optional
            From :meth:`lead` with the same table.
        store : ContextStore, optional
            Keeps frozen contexts; without one they are read with the rest.

        Returns
        -------
        Tensor, shape (total number of target tokens, vocabulary size)
            The rows' targets one after another.
        """
        past, read = self._past([e.ids for e in examples], lead, store)
        live = [e.ids[n:] for e, n in zip(examples, read, strict=True)]
        ids, mask = pad(live, self.padding_side, self.lm.device)
        rows, places = [], []
        for row, (example, n) in enumerate(zip(examples, read, strict=True)):
            left = (
                ids.shape[1] - len(example.ids) if self.padding_side == "left" else -n
            )
            first = example.first_target + left
            rows += [row] * len(example.targets)
            places += range(first, first + len(example.targets))
        return self._forward(table, ids, mask, past, rows, places)[0]

    def read(
        self,
        table: Tensor | None,
        sequences: Sequence[Ids],
        past: Past | None = None,
        *,
        keep: bool = True,
    ) -> tuple[Tensor, Past | None]:
        """Read on from a past, and keep what is needed to read further.

        Parameters
        ----------
        table : Tensor, shape (num_virtual_tokens, token_dim), or None
        sequences : n sequences of token ids, none empty
        past : Past, optional
            Of n rows, or of one row that all share.
        keep : bool
            False where nothing will be read after the sequences.

        Returns
        -------
        logits : Tensor, shape (n, vocabulary size)
            For the token after each sequence.
        past : Past or None
            With the sequences appended; None if not kept, or the plan is not fast.
        """
        ids, mask = pad(sequences, "left", self.lm.device)
        rows, places = range(len(ids)), [ids.shape[1] - 1] * len(ids)
        keep = keep and self.fast
        return self._forward(table, ids, mask, past, rows, places, use_cache=keep)

    def read_prompts(
        self,
        table: Tensor | None,
        prompts: Sequence[Ids],
        lead: Past | None = None,
        store: ContextStore | None = None,
        *,
        keep: bool = True,
    ) -> tuple[Tensor, Past | None]:
        """:meth:`read` whole prompts, from the lead or the kept contexts onwards."""
        past, read = self._past(prompts, lead, store)
        rest = [ids[n:] for ids, n in zip(prompts, read, strict=True)]
        return self.read(table, rest, past, keep=keep)

    def _past(
        self, sequences: Sequence[Ids], lead: Past | None, store: ContextStore | None
    ) -> tuple[Past | None, list[int]]:
        """What of each sequence is already read, and how many tokens that is."""
        if lead is not None:
            return lead.expand(len(sequences)), [lead.mask.shape[1]] * len(sequences)
        if store is None or not self.fast or not self.tokens.starts_frozen:
            return None, [0] * len(sequences)
        read = [next(i for i, t in enumerate(ids) if t < 0) for ids in sequences]
        contexts = [ids[:n] for ids, n in zip(sequences, read, strict=True)]
        return self._contexts(contexts, store), read

    @torch.no_grad()
    def _contexts(self, contexts: Sequence[Ids], store: ContextStore) -> Past | None:
        """Kept states of different length, padded on the left to one past."""
        kept = [store.get(ids, self._read_alone) if ids else None for ids in contexts]
        filled = [states for states in kept if states is not None]
        if not filled:
            return None
        layers, two, heads, _, width = filled[0].shape
        longest = max(states.shape[3] for states in filled)
        batch = filled[0].new_zeros(layers, two, len(kept), heads, longest, width)
        mask = torch.zeros(len(kept), longest, dtype=torch.long, device=batch.device)
        for row, states in enumerate(kept):
            if states is not None:
                batch[:, :, row, :, longest - states.shape[3] :] = states
                mask[row, longest - states.shape[3] :] = 1
        return Past([(keys, values) for keys, values in batch], mask)

    def _read_alone(self, ids: Ids) -> Tensor:
        _, past = self.read(None, [ids])
        return torch.stack([torch.stack([k[0], v[0]]) for k, v in past.states])

    def _forward(
        self,
        table: Tensor | None,
        ids: LongTensor,
        mask: LongTensor,
        past: Past | None,
        rows: Sequence[int],
        places: Sequence[int],
        use_cache: bool = False,
    ) -> tuple[Tensor, Past | None]:
        """Logits at ``places`` of ``rows`` of the live ids, and the new past."""
        seen = 0 if past is None else past.mask.shape[1]
        options = {"use_cache": use_cache} if self.lm.kind == "causal" else {}
        attention = nullcontext()
        if past is not None:
            past = past.expand(len(ids))
            mask = torch.cat([past.mask, mask], dim=1)
            # Going on to read further needs the joined keys; else they stay apart.
            split = self._can_split and not use_cache and seen > ids.shape[1]
            cache = split_cache(past.states) if split else _as_cache(past)
            options |= {"past_key_values": cache, "use_cache": True}
            attention = splitting(self.lm.model) if split else attention
        if self._takes_positions:
            options["position_ids"] = self._positions(mask)[:, seen:]
        places = torch.tensor(places)
        if self._takes_logits_to_keep:
            kept, places = places.unique(return_inverse=True)
            options["logits_to_keep"] = kept.to(self.lm.device)
        vectors = embed(self.lm, ids, table)
        with attention:
            out = self.lm.model(inputs_embeds=vectors, attention_mask=mask, **options)
        logits = out.logits[torch.tensor(rows), places]
        return logits, _as_past(out.past_key_values, mask) if use_cache else None

    def _positions(self, mask: LongTensor) -> LongTensor:
        """Positions that count tokens, not padding."""
        return (mask.cumsum(1) - 1).clamp(min=0) + self.lm.first_position


def _as_cache(past: Past) -> DynamicCache:
    cache = DynamicCache()
    for keys, values in past.states:
        # Set directly: the constructor would copy every layer once more.
        layer = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        cache.layers.append(layer)
    return cache


def _as_past(cache: DynamicCache, mask: LongTensor) -> Past:
    return Past([(layer.keys, layer.values) for layer in cache.layers], mask)


_PLAIN_CACHE: WeakKeyDictionary[LanguageModel, bool] = WeakKeyDictionary()


def _has_plain_cache(lm: LanguageModel) -> bool:
    """Whether the model keeps simply the keys and values of every token it read."""
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
                f"{lm.name} keeps its past in a {type(cache).__name__} of its own "
                "kind: ptlearn takes the plain, slower forward for it",
                stacklevel=4,
            )
    return _PLAIN_CACHE[lm]
