"""The forward pass: each part of a template computed as seldom as possible.

The language model is frozen, so a template falls into three parts.

1. *Shared prefix*: a start that is the same in every row, such as the first virtual
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
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import LongTensor, Tensor

from ..lm.load import LanguageModel
from ..templates.language import Template
from ..templates.tokenization import Example, TemplateTokens, embed, pad
from .kv_cache import ContextCache, Ids, KVCache, as_past, has_plain_cache, joined_cache
from .split_attention import can_split, split_cache, splitting

PREFIX_COSTS = 64
"""Reading a shared prefix apart, there and back, costs about as much as this many
tokens of a batch: the weights are gone through once more."""


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
    DataError
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
        """Logits at the answer positions, and nowhere else.

        Parameters
        ----------
        table : Tensor, shape (num_virtual_tokens, token_dim), or None
        examples : sequence of Example
        prefix : KVCache, optional
            From :meth:`shared_prefix` with the same table.
        context_cache : ContextCache, optional
            Keeps frozen contexts; without one they are read with the rest.

        Returns
        -------
        Tensor, shape (total number of target tokens, vocabulary size)
            The rows' targets one after another.
        """
        past, read = self._past([e.ids for e in examples], prefix, context_cache)
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
        past: KVCache | None = None,
        *,
        keep: bool = True,
    ) -> tuple[Tensor, KVCache | None]:
        """Read on from a past, and keep what is needed to read further.

        Parameters
        ----------
        table : Tensor, shape (num_virtual_tokens, token_dim), or None
        sequences : n sequences of token ids, none empty
        past : KVCache, optional
            Of n rows, or of one row that all share.
        keep : bool
            False where nothing will be read after the sequences.

        Returns
        -------
        logits : Tensor, shape (n, vocabulary size)
            For the token after each sequence.
        past : KVCache or None
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
        prefix: KVCache | None = None,
        context_cache: ContextCache | None = None,
        *,
        keep: bool = True,
    ) -> tuple[Tensor, KVCache | None]:
        """:meth:`read` whole prompts, from the prefix or the kept contexts onwards."""
        past, read = self._past(prompts, prefix, context_cache)
        rest = [ids[n:] for ids, n in zip(prompts, read, strict=True)]
        return self.read(table, rest, past, keep=keep)

    def _past(
        self,
        sequences: Sequence[Ids],
        prefix: KVCache | None,
        context_cache: ContextCache | None,
    ) -> tuple[KVCache | None, list[int]]:
        """What of each sequence is already read, and how many tokens that is."""
        if prefix is not None:
            return prefix.expand(len(sequences)), [prefix.mask.shape[1]] * len(
                sequences
            )
        if context_cache is None or not self.fast or not self.tokens.starts_frozen:
            return None, [0] * len(sequences)
        read = [next(i for i, t in enumerate(ids) if t < 0) for ids in sequences]
        contexts = [ids[:n] for ids, n in zip(sequences, read, strict=True)]
        return self._contexts(contexts, context_cache), read

    @torch.no_grad()
    def _contexts(
        self, contexts: Sequence[Ids], context_cache: ContextCache
    ) -> KVCache | None:
        """Kept states of different length, padded on the left to one past."""
        kept = [
            context_cache.get(ids, self._read_alone) if ids else None
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

    def _read_alone(self, ids: Ids) -> Tensor:
        _, past = self.read(None, [ids])
        return torch.stack([torch.stack([k[0], v[0]]) for k, v in past.states])

    def _forward(
        self,
        table: Tensor | None,
        ids: LongTensor,
        mask: LongTensor,
        past: KVCache | None,
        rows: Sequence[int],
        places: Sequence[int],
        use_cache: bool = False,
    ) -> tuple[Tensor, KVCache | None]:
        """Logits at ``places`` of ``rows`` of the live ids, and the new past."""
        seen = 0 if past is None else past.mask.shape[1]
        options = {"use_cache": use_cache} if self.lm.kind == "causal" else {}
        attention = nullcontext()
        if past is not None:
            past = past.expand(len(ids))
            mask = torch.cat([past.mask, mask], dim=1)
            # Going on to read further needs the joined keys; else they stay apart.
            split = self._can_split and not use_cache and seen > ids.shape[1]
            cache = split_cache(past.states) if split else joined_cache(past)
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
        return logits, as_past(out.past_key_values, mask) if use_cache else None

    def _positions(self, mask: LongTensor) -> LongTensor:
        """Positions that count tokens, not padding."""
        return (mask.cumsum(1) - 1).clamp(min=0) + self.lm.first_position
