"""From a row of data to token ids.

A virtual token has no word, so it needs a code of its own among the token ids: virtual
token number ``s`` is written ``-(s + 1)``. One sequence then says for each place
whether a frozen word embedding or a vector of the prompt table stands there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from ..errors import DataError, ModelError, TemplateError
from ..lm.language_model import LanguageModel
from ..tasks.rows import cell_text
from .language import Answer, Field, Piece, Template, Text, Virtual, VirtualWords
from .segments import SegmentTokenizer


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

    Neighbouring text and fields are joined before they are tokenised; only a virtual
    token and the answer cut. White space before ``[V:n]`` is dropped; white space
    before ``[V:"words"]`` and before ``{answer}`` belongs to them, because in
    byte-level BPE "Paris" and " Paris" are different tokens.

    Parameters
    ----------
    lm : LanguageModel
    template : Template

    Attributes
    ----------
    num_virtual_tokens : int
    word_slots : dict of int to int
        Slots that ``[V:"words"]`` fills, and the id of the token that starts each.
    shared_ids : list of int
        Leading ids that are the same in every row. Where they end in words before a
        field, a row whose field joins those words in a way of its own may differ.
    starts_frozen : bool
        Whether words that differ from row to row stand before the first virtual token.

    Raises
    ------
    TemplateError
        If the template does not fit the kind of language model.
    ModelError
        If the tokenizer cannot be used; see ``SegmentTokenizer``.
    """

    def __init__(self, lm: LanguageModel, template: Template):
        self.template, self.lm = template, lm
        self._segment_ids = SegmentTokenizer(lm)
        self._start, self._end = _special_tokens(lm)
        if lm.kind == "causal":
            self._check_answer_place()
        self.word_slots: dict[int, int] = {}
        self._slots: dict[int, list[int]] = {}  # piece index -> codes of its slots
        self.num_virtual_tokens = 0
        for index, piece in enumerate(template.pieces):
            if isinstance(piece, Virtual | VirtualWords):
                self._add_slots(index, piece)
        self.shared_ids, self.starts_frozen = self._leading_parts()
        self._segment_ids.warn_of_unknown_words(template.pieces)

    def _check_answer_place(self) -> None:
        *before, last = self.template.pieces
        if last != Answer():
            raise TemplateError(
                "a causal language model reads from left to right and answers at the "
                f"end, so {{answer}} must come last: {self.template.text!r}"
            )
        if not self._start and _is_blank(before):
            raise TemplateError(
                f"nothing stands before the answer in {self.template.text!r}: a causal "
                "language model needs at least one token to go on from"
            )

    def _add_slots(self, index: int, piece: Virtual | VirtualWords) -> None:
        first = self.num_virtual_tokens
        if isinstance(piece, VirtualWords):
            words = self._ids_at(index, piece.words)
            self.word_slots.update(enumerate(words, start=first))
        count = piece.count if isinstance(piece, Virtual) else len(words)
        self._slots[index] = [-(first + i + 1) for i in range(count)]
        self.num_virtual_tokens += count

    def _leading_parts(self) -> tuple[list[int], bool]:
        """Find what ``forward/plan.py`` needs to know about the template's start.

        Returns
        -------
        shared_ids : list of int
        starts_frozen : bool
            The attributes of these names.
        """
        pieces = self.template.pieces
        before_virtual = pieces[: min(self._slots, default=0)]
        if any(not isinstance(piece, Text) for piece in before_virtual):
            return [], True
        shared = list(self._start)
        for index, (piece, after) in enumerate(pairwise((*pieces, None))):
            if index in self._slots:
                shared += self._slots[index]
            elif isinstance(piece, Text):
                at_start = len(shared) == len(self._start)
                if isinstance(after, Field):
                    lasting = self._segment_ids.lasting(piece.text, at_start=at_start)
                    return shared + lasting, False
                shared += self._segment_ids(_own_text(piece, after), at_start=at_start)
            else:
                break
        # The last token before the answer is read anew, for its logits predict it.
        return shared[:-1] if piece == Answer() else shared, False

    def _ids_at(self, index: int, words: str) -> tuple[int, ...]:
        """Token ids of words at a piece's place, with the white space before it."""
        before = self.template.pieces[:index]
        space = ""
        if before and isinstance(before[-1], Text):
            text = before[-1].text
            space = text[len(text.rstrip()) :]
        return self._segment_ids(space + words, at_start=_is_blank(before))

    def answer_ids(self, answer) -> tuple[int, ...]:
        """Token ids of an answer, with the space that stands before ``{answer}``.

        Parameters
        ----------
        answer : str
            Anything else is taken as ``str(answer)``.

        Raises
        ------
        DataError
            If the answer is empty, or the tokenizer does not know it.
        """
        answer = str(answer)
        place = self.template.pieces.index(Answer())
        ids = self._ids_at(place, answer) if answer.strip() else ()
        if not ids:
            raise DataError(f"the answer {answer!r} has no tokens")
        if self.lm.tokenizer.unk_token_id in ids:
            raise DataError(
                f"the tokenizer of {self.lm.name} does not know the answer {answer!r}"
            )
        return ids

    def answers_by_ids(self, answers: Iterable) -> dict[tuple[int, ...], str]:
        """Token ids of each answer, and the answer; one given twice counts once.

        Raises
        ------
        DataError
            If two answers have the same token ids, so that no prediction could tell
            them apart; names both. Else as :meth:`answer_ids`.
        """
        found: dict[tuple[int, ...], str] = {}
        for answer in map(str, answers):
            ids = self.answer_ids(answer)
            other = found.setdefault(ids, answer)
            if other != answer:
                raise DataError(
                    f"the answers {other!r} and {answer!r} have the same token ids "
                    f"under the tokenizer of {self.lm.name}: a prediction cannot tell "
                    "them apart. Write them as one answer, or rename one"
                )
        return found

    def prompt_ids(self, row: dict, num_masks: int = 1) -> tuple[list[int], int]:
        """Token ids before the answer, and in a masked model around it.

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

        Raises
        ------
        DataError
            If the row lacks a column, or a causal model gets nothing to read.
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
                at_start = len(ids) == len(self._start)
                ids += self._segment_ids(_own_text(piece, after), at_start=at_start)
            else:
                ids += next(slots)
        if self.lm.kind == "masked":
            return ids + self._end, place
        if not ids:
            raise DataError(
                f"nothing stands before the answer in {self.template.text!r} with the "
                f"row {_shown(row)}: a causal language model needs at least one token "
                "to go on from"
            )
        return ids, place

    def encode(self, row: dict, answer=None) -> Example:
        """Tokenise a row with an answer, its own if none is given.

        Raises
        ------
        DataError
            If the row lacks a column or an answer, if it is longer than the model's
            context window, or the answer has no tokens.
        """
        answer = own_answer(row) if answer is None else answer
        if answer is None:
            raise DataError(f"a row has no answer: {_shown(row)}")
        return self._example(row, self.answer_ids(answer))

    def encode_masked(self, row: dict, length: int) -> Example:
        """Tokenise a row with ``length`` masks for an answer not known yet."""
        return self._example(row, (self.lm.tokenizer.mask_token_id,) * length)

    def _example(self, row: dict, targets: tuple[int, ...]) -> Example:
        ids, place = self.prompt_ids(row, num_masks=len(targets))
        if self.lm.kind == "causal":
            ids, place = ids + list(targets[:-1]), place - 1
        self.check_length(len(ids), row)
        return Example(tuple(ids), targets, place)

    def check_length(self, length: int, row: dict, new_tokens: int = 0) -> None:
        """Refuse a row that does not fit into the model's context window.

        Parameters
        ----------
        length : int
            Tokens that the row has.
        new_tokens : int
            Tokens that the model may write after them.

        Raises
        ------
        DataError
            With the number of tokens and the window.
        """
        window = self.lm.context_window
        if window is None or length + new_tokens <= window:
            return
        found = f"a row is {length} tokens long"
        advice = "shorten it or use fewer virtual tokens or demonstrations"
        if new_tokens:
            found += f", with max_new_tokens={new_tokens} {length + new_tokens}"
            advice = "shorten it or ask for fewer new tokens"
        raise DataError(
            f"{found}; {self.lm.name} reads at most {window}: {advice}. "
            f"The row: {_shown(row)}"
        )


def own_answer(row: dict) -> str | None:
    """Return a row's own answer as text; None where it has none, or a blank one."""
    answer = cell_text(row.get("answer"), "answer")
    return answer if answer.strip() else None


def _shown(row: dict) -> dict[str, str]:
    return {key: str(value)[:40] for key, value in row.items()}


def _is_blank(pieces: Iterable[Piece]) -> bool:
    return all(isinstance(p, Text) and not p.text.strip() for p in pieces)


def _own_text(piece: Text, after: Piece | None) -> str:
    """Drop the white space that the piece after a text drops or takes over."""
    return piece.text if after is None else piece.text.rstrip()


def _special_tokens(lm: LanguageModel) -> tuple[list[int], list[int]]:
    """Find what the tokenizer itself puts around a text, such as [CLS] and [SEP]."""
    bare = lm.tokenizer("x", add_special_tokens=False)["input_ids"]
    full = lm.tokenizer("x")["input_ids"]
    for at in range(len(full)):
        if full[at : at + len(bare)] == bare:
            return full[:at], full[at + len(bare) :]
    raise ModelError(
        f"the tokenizer of {lm.name} ({type(lm.tokenizer).__name__}) gives a text "
        "other tokens with special tokens than without them; use another model"
    )
