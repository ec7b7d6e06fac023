"""From a row of data to token ids, and from many rows to one padded batch.

A virtual token has no word, so it needs a code of its own among the token ids: virtual
token number ``s`` is written ``-(s + 1)``. One tensor then says for each place whether
a frozen word embedding or a row of the prompt table stands there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from torch import LongTensor, Tensor

from ..errors import DataError
from ..lm.load import LanguageModel
from .language import Answer, Field, Piece, Template, Text, Virtual, VirtualWords


@dataclass(frozen=True)
class Example:
    """One row as token ids.

    Attributes
    ----------
    ids : tuple of int
        What the model reads, virtual tokens as negative codes. In a causal model the
        answer's tokens but the last follow the prompt (teacher forcing).
    targets : tuple of int
        The answer's token ids.
    first_target : int
        Where in ``ids`` the logits for the first target are read: in a causal model
        one place before the answer, in a masked model at its first mask. The logits
        for the other targets are read at the places after it.
    """

    ids: tuple[int, ...]
    targets: tuple[int, ...]
    first_target: int


class TemplateTokens:
    """A template as one tokenizer sees it.

    The rules (DESIGN: tokenising) come from byte-level BPE, where "Paris" and " Paris"
    are different tokens. Text and fields are joined before they are tokenised; only a
    virtual token and the answer cut. White space before ``[V:n]`` is dropped; white
    space before ``[V:"words"]`` and before ``{answer}`` belongs to them.

    Attributes
    ----------
    num_virtual_tokens : int
    word_slots : dict of int to int
        Slots that ``[V:"words"]`` fills, and the id of the token that starts each.
    shared_ids : list of int
        Leading ids that are the same in every row.
    starts_frozen : bool
        Whether words that differ from row to row stand before the first virtual token.

    Raises
    ------
    DataError
        If the template does not fit the kind of language model.
    """

    def __init__(self, lm: LanguageModel, template: Template):
        self.template, self.lm = template, lm
        if lm.kind == "causal" and template.pieces[-1] != Answer():
            raise DataError(
                "a causal language model reads from left to right and answers at the "
                f"end, so {{answer}} must come last: {template.text!r}"
            )
        tokenize = lru_cache(maxsize=100_000)(self._tokenize)
        self._ids = lambda text: list(tokenize(text))
        self._start, self._end = _special_tokens(lm)
        self._window = lm.context_window
        self.word_slots: dict[int, int] = {}
        self._slots: dict[int, list[int]] = {}  # piece index -> codes of its slots
        self.num_virtual_tokens = 0
        for index, piece in enumerate(template.pieces):
            if isinstance(piece, Virtual | VirtualWords):
                self._add_slots(index, piece)
        self.shared_ids, self.starts_frozen = self._leading_parts()

    def _add_slots(self, index: int, piece: Virtual | VirtualWords) -> None:
        first = self.num_virtual_tokens
        if isinstance(piece, VirtualWords):
            words = self._ids(self._space_before(index) + piece.words)
            self.word_slots.update(enumerate(words, start=first))
        count = piece.count if isinstance(piece, Virtual) else len(words)
        self._slots[index] = [-(first + i + 1) for i in range(count)]
        self.num_virtual_tokens += count

    def _leading_parts(self) -> tuple[list[int], bool]:
        """What ``plan.py`` needs to know about the start of the template.

        Returns the leading ids that are the same in every row, and whether words that
        differ from row to row stand before the first virtual token.
        """
        pieces = self.template.pieces
        before_virtual = pieces[: min(self._slots, default=0)]
        if any(not isinstance(piece, Text) for piece in before_virtual):
            return [], True
        shared = list(self._start)
        for index, (piece, after) in enumerate(pairwise((*pieces, None))):
            if index in self._slots:
                shared += self._slots[index]
            elif isinstance(piece, Text) and not isinstance(after, Field):
                shared += self._ids(_own_text(piece, after))
            else:
                break
        # The last token before the answer is read anew, for its logits predict it.
        return shared[:-1] if piece == Answer() else shared, False

    def _space_before(self, index: int) -> str:
        """The white space that a piece takes over from the text before it."""
        before = self.template.pieces[index - 1] if index else None
        if not isinstance(before, Text):
            return ""
        return before.text[len(before.text.rstrip()) :]

    def _tokenize(self, text: str) -> tuple[int, ...]:
        encoded = self.lm.tokenizer(text, add_special_tokens=False)
        return tuple(encoded["input_ids"])

    def answer_ids(self, answer: str) -> tuple[int, ...]:
        """Token ids of an answer, with the space that stands before ``{answer}``.

        Raises
        ------
        DataError
            If the answer is empty, or the tokenizer does not know it.
        """
        space = self._space_before(self.template.pieces.index(Answer()))
        ids = tuple(self._ids(space + answer)) if answer.strip() else ()
        if not ids:
            raise DataError(f"the answer {answer!r} has no tokens")
        if self.lm.tokenizer.unk_token_id in ids:
            raise DataError(
                f"the tokenizer of {self.lm.name} does not know the answer {answer!r}"
            )
        return ids

    def prompt_ids(self, row: dict, num_masks: int = 1) -> tuple[list[int], int]:
        """What stands before the answer, and in a masked model around it.

        Parameters
        ----------
        row : dict
            One row of the task; needs no answer.
        num_masks : int
            How many mask tokens stand for the answer (masked models only).

        Returns
        -------
        ids : list of int
        place : int
            Where the answer's first token belongs: ``len(ids)`` in a causal model.
        """
        ids, place = list(self._start), 0
        slots = iter(self._slots.values())
        pieces = self.template.fill(row)
        for piece, after in pairwise((*pieces, None)):
            if isinstance(piece, Answer):
                place = len(ids)
                if self.lm.kind == "masked":
                    ids += [self.lm.tokenizer.mask_token_id] * num_masks
            elif isinstance(piece, Text):
                ids += self._ids(_own_text(piece, after))
            else:
                ids += next(slots)
        ids += self._end if self.lm.kind == "masked" else []
        return ids, place

    def encode(self, row: dict, answer: str | None = None) -> Example:
        """A row with an answer (its own if none is given) as an :class:`Example`.

        Raises
        ------
        DataError
            If the row is longer than the model's context window, the prompt is
            empty, or the answer has no tokens.
        """
        targets = self.answer_ids(str(row["answer"] if answer is None else answer))
        return self._example(row, targets)

    def encode_masked(self, row: dict, length: int) -> Example:
        """A row with ``length`` masks for an answer that is not known yet."""
        return self._example(row, (self.lm.tokenizer.mask_token_id,) * length)

    def _example(self, row: dict, targets: tuple[int, ...]) -> Example:
        ids, place = self.prompt_ids(row, num_masks=len(targets))
        if self.lm.kind == "causal":
            ids, place = ids + list(targets[:-1]), place - 1
        if place < 0:
            raise DataError(
                f"nothing stands before the answer in {self.template.text!r}: a causal "
                "language model needs at least one token to go on from"
            )
        self._check_length(ids, row)
        return Example(tuple(ids), targets, place)

    def _check_length(self, ids: list[int], row: dict) -> None:
        window = self._window
        if window is not None and len(ids) > window:
            shown = {k: str(v)[:40] for k, v in row.items()}
            raise DataError(
                f"a row is {len(ids)} tokens long, {self.lm.name} reads at most "
                f"{window}: shorten it or use fewer virtual tokens. The row: {shown}"
            )


def _own_text(piece: Text, after: Piece | None) -> str:
    """A text without the white space that the piece after it drops or takes over."""
    return piece.text if after is None else piece.text.rstrip()


def _special_tokens(lm: LanguageModel) -> tuple[list[int], list[int]]:
    """What the tokenizer itself puts around a text, such as [CLS] and [SEP]."""
    bare = lm.tokenizer("x", add_special_tokens=False)["input_ids"]
    full = lm.tokenizer("x")["input_ids"]
    places = (i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    at = next(places, None)
    if at is None:  # a tokenizer that writes a text differently between its tokens
        return [], []
    return full[:at], full[at + len(bare) :]


def pad(
    sequences: Sequence[Sequence[int]], side: str, device=None
) -> tuple[LongTensor, Tensor]:
    """Sequences of different length as one tensor.

    Parameters
    ----------
    sequences : sequence of sequences of int
    side : "left" or "right"
        Where the padding goes.

    Returns
    -------
    ids : LongTensor, shape (n, longest)
        Padding is token 0; the mask says where.
    mask : LongTensor, shape (n, longest)
        1 for a token, 0 for padding.
    """
    longest = max(map(len, sequences))
    ids = torch.zeros(len(sequences), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        where = slice(longest - len(sequence), None)
        if side == "right":
            where = slice(0, len(sequence))
        ids[row, where] = torch.tensor(sequence, dtype=torch.long)
        mask[row, where] = 1
    return ids.to(device), mask.to(device)


def embed(lm: LanguageModel, ids: LongTensor, table: Tensor | None) -> Tensor:
    """Word embeddings, with the rows of the prompt table at the virtual places.

    Parameters
    ----------
    ids : LongTensor, any shape
        Token ids; virtual token ``s`` is ``-(s + 1)``.
    table : Tensor, shape (num_virtual_tokens, token_dim), or None
        The gradient flows into it and into nothing else.

    Returns
    -------
    Tensor, shape (\\*ids.shape, token_dim)
    """
    words = lm.embed(ids.clamp(min=0))
    if table is None:
        return words
    prompt = torch.nn.functional.embedding((-ids - 1).clamp(min=0), table.to(words))
    return torch.where((ids < 0).unsqueeze(-1), prompt, words)
