"""The forward pass: each part of a template computed as seldom as possible.

The language model is frozen, so a template falls into three parts.

1. *Shared prefix*: a start that is the same in every row, such as the first virtual
   tokens of ``[V:3] {subject} [V:3] {answer}``, or demonstrations before a wording. It
   is run once, as a batch of one, with gradient; its keys and values are then expanded
   over the batch.
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
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import LongTensor, Tensor

from ..lm.language_model import LanguageModel
from ..templates.batching import embed, pad
from ..templates.language import Template
from ..templates.tokenization import Example, TemplateTokens
from .kv_cache import ContextCache, Ids, KVCache, frozen_context, has_plain_cache
from .split_attention import can_split, split_cache, splitting

PREFIX_COSTS = 64
"""Reading a shared prefix apart, there and back, costs about as much as this many
tokens of a batch: the weights are gone through once more."""


class ForwardPlan:
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
    TemplateError
        If the template does not fit the kind of language model.
    ModelError
        If the tokenizer cannot be used.
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
        self.fast = fast and lm.kind == "causal" and has_plain_cache(lm)
        self._can_split = can_split(lm.model)
        accepted = inspect.signature(lm.model.forward).parameters
        self._takes_positions = "position_ids" in accepted
        self._takes_logits_to_keep = "logits_to_keep" in accepted

    def shared_prefix(
        self, table: Tensor | None, num_rows: int | None = None
    ) -> KVCache | None:
        """Read the shared prefix: once a step in training, once a data set otherwise.

        Parameters
        ----------
        table : Tensor, shape (num_virtual_tokens, token_dim), or None
        num_rows : int, optional
            How many rows will share it. None: so many that it always pays.

        Returns
        -------
        KVCache or None
            None where the template has no shared prefix, where the plan is not fast,
            and where the rows are so few that they are faster with the prefix in each.
        """
        if not self.fast or not self.tokens.shared_ids:
            return None
        if num_rows is not None:
            saved = (num_rows - 1) * len(self.tokens.shared_ids)
            if saved < PREFIX_COSTS:
                return None
        return self.read(table, [self.tokens.shared_ids])[1]

    def logits(
        self,
        table: Tensor | None,
        examples: Sequence[Example],
        prefix: KVCache | None = None,
        context_cache: ContextCache | None = None,
    ) -> Tensor:
        """Compute logits at the answer positions, and nowhere else.

        Parameters
        ----------
        table : Tensor, shape (num_virtual_tokens, token_dim), or None
        examples : sequence of Example
        prefix : KVCache, optional
            From :meth:`shared_prefix` with the same table.
        context_cache : ContextCache, optional
            Of all examples that will be met; without one frozen contexts are read with
            the rest.

        Returns
        -------
        Tensor, shape (total number of target tokens, vocabulary size)
            The rows' targets one after another.
        """
        # Logits are read from the prompt's last token on: it must not be cached.
        prompts = [e.ids[: e.first_target + 1] for e in examples]
        kv_cache, cached = self._cached_start(prompts, prefix, context_cache)
        live = [e.ids[n:] for e, n in zip(examples, cached, strict=True)]
        ids, mask = pad(live, self.padding_side, self.lm.device)
        rows, places = [], []
        for row, (example, n) in enumerate(zip(examples, cached, strict=True)):
            left = (
                ids.shape[1] - len(example.ids) if self.padding_side == "left" else -n
            )
            first = example.first_target + left
            rows += [row] * len(example.targets)
            places += range(first, first + len(example.targets))
        return self._forward(table, ids, mask, kv_cache, rows, places)[0]

    def read(
        self,
        table: Tensor | None,
        sequences: Sequence[Ids],
        kv_cache: KVCache | None = None,
        *,
        keep: bool = True,
    ) -> tuple[Tensor, KVCache | None]:
        """Read sequences, from the end of a KV cache onwards.

        Parameters
        ----------
        table : Tensor, shape (num_virtual_tokens, token_dim), or None
        sequences : n sequences of token ids, none empty
        kv_cache : KVCache, optional
            Of what stands before them: n rows, or one row that all share.
        keep : bool
            False where nothing will be read after the sequences.

        Returns
        -------
        logits : Tensor, shape (n, vocabulary size)
            For the token after each sequence.
        kv_cache : KVCache or None
            With the sequences appended; None if not kept, or the plan is not fast.
        """
        ids, mask = pad(sequences, "left", self.lm.device)
        rows, places = range(len(ids)), [ids.shape[1] - 1] * len(ids)
        keep = keep and self.fast
        return self._forward(table, ids, mask, kv_cache, rows, places, use_cache=keep)

    def read_prompts(
        self,
        table: Tensor | None,
        prompts: Sequence[Ids],
        prefix: KVCache | None = None,
        context_cache: ContextCache | None = None,
        *,
        keep: bool = True,
    ) -> tuple[Tensor, KVCache | None]:
        """:meth:`read` whole prompts, from the shared prefix or the contexts onwards.

        Parameters and what it returns are those of :meth:`logits` and :meth:`read`.
        """
        kv_cache, cached = self._cached_start(prompts, prefix, context_cache)
        rest = [ids[n:] for ids, n in zip(prompts, cached, strict=True)]
        return self.read(table, rest, kv_cache, keep=keep)

    @torch.no_grad()
    def bytes_per_token(self) -> int:
        """Return what keeping one token's keys and values takes; 0 if none are kept."""
        if not self.fast or not self.tokens.starts_frozen:
            return 0
        one = self.read(None, [[0]])[1]
        return sum(keys.nbytes + values.nbytes for keys, values in one.states)

    def _cached_start(
        self,
        sequences: Sequence[Ids],
        prefix: KVCache | None,
        context_cache: ContextCache | None,
    ) -> tuple[KVCache | None, list[int]]:
        """Find what of each sequence is cached, and how many tokens that is."""
        count = len(sequences)
        if prefix is not None:
            shared = tuple(self.tokens.shared_ids)
            n = len(shared)
            if any(tuple(ids[:n]) != shared or len(ids) == n for ids in sequences):
                return None, [0] * count  # a field joined the words before it
            return prefix.expand(count), [n] * count
        if context_cache is None or not self.fast or not self.tokens.starts_frozen:
            return None, [0] * count
        contexts = [frozen_context(ids) for ids in sequences]
        return self._contexts(contexts, context_cache), [len(ids) for ids in contexts]

    @torch.no_grad()
    def _contexts(
        self, contexts: Sequence[Ids], context_cache: ContextCache
    ) -> KVCache | None:
        """Pad the contexts' keys and values on the left to one KV cache."""
        kept = [
            context_cache.get(ids, self._read_group) if ids else None
            for ids in contexts
        ]
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
        return KVCache([(keys, values) for keys, values in batch], mask)

    def _read_group(self, group: Sequence[Ids]) -> list[Tensor]:
        _, kv_cache = self.read(None, group)
        states = torch.stack([torch.stack(pair) for pair in kv_cache.states])
        # Padding stands on the left. A copy, or all would keep the padding alive.
        return [states[:, :, i, :, -len(ids) :].clone() for i, ids in enumerate(group)]

    def _forward(
        self,
        table: Tensor | None,
        ids: LongTensor,
        mask: LongTensor,
        kv_cache: KVCache | None,
        rows: Sequence[int],
        places: Sequence[int],
        use_cache: bool = False,
    ) -> tuple[Tensor, KVCache | None]:
        """Compute logits at ``places`` of ``rows`` of the live ids."""
        cached = 0 if kv_cache is None else kv_cache.mask.shape[1]
        options = {"use_cache": use_cache} if self.lm.kind == "causal" else {}
        attention = nullcontext()
        if kv_cache is not None:
            kv_cache = kv_cache.expand(len(ids))
            mask = torch.cat([kv_cache.mask, mask], dim=1)
            # Going on to read further needs the joined keys; else they stay apart.
            split = self._can_split and not use_cache and cached > ids.shape[1]
            before = split_cache(kv_cache.states) if split else kv_cache.to_dynamic()
            options |= {"past_key_values": before, "use_cache": True}
            attention = splitting(self.lm.model) if split else attention
        if self._takes_positions:
            options["position_ids"] = self._positions(mask)[:, cached:]
        places = torch.tensor(places)
        if self._takes_logits_to_keep:
            kept, places = places.unique(return_inverse=True)
            options["logits_to_keep"] = kept.to(self.lm.device)
        vectors = embed(self.lm, ids, table)
        with attention:
            out = self.lm.model(inputs_embeds=vectors, attention_mask=mask, **options)
        logits = out.logits[torch.tensor(rows), places]
        if not use_cache:
            return logits, None
        return logits, KVCache.from_dynamic(out.past_key_values, mask)

    def _positions(self, mask: LongTensor) -> LongTensor:
        """Count positions by tokens, not padding."""
        return (mask.cumsum(1) - 1).clamp(min=0) + self.lm.first_position
