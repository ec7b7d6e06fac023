"""A segment of a text as token ids: the ids it has in the whole text.

A template is cut where a virtual token or the answer stands, and each segment is
tokenised apart. Byte-level BPE gives a segment the same ids alone as after other text.
SentencePiece and Metaspace tokenizers (Llama-2, Mistral, T5, ALBERT) put a word-start
mark before whatever they are given. For those a segment is encoded behind a short
anchor text, and its ids are cut out by their offsets.
"""

import os
import warnings
from collections.abc import Iterable

from ..errors import ModelError
from ..lm.language_model import LanguageModel
from .language import Piece

ANCHORS = (".", "☃", "x")
"""Texts to encode a segment behind; the first that shares no token with it is taken."""
CONTINUATIONS = ("a", "A", "é", "中", "1", ".", "'s", " a", "\n")
"""Texts that a field after a segment may begin with."""
FEWEST_LASTING = 16
"""Fewer tokens before a field are read faster together with it."""
MAX_CACHED = 100_000
"""Segments whose ids are remembered."""
MAX_CHARACTERS = 10_000_000
"""Characters that these may have together: what bounds the memory."""
LONGEST_CACHED = 2_000
"""Characters up to which one is: a longer one takes much memory, and rarely returns."""


class SegmentTokenizer:
    """Token ids of segments, under the tokenizer of one language model.

    Calls are cached, but for long texts; the cache is left out of a pickled or copied
    object.

    Parameters
    ----------
    lm : LanguageModel

    Raises
    ------
    ModelError
        If the tokenizer marks the start of every text and its marks cannot be cut off.
    """

    def __init__(self, lm: LanguageModel):
        self._tokenizer, self._name = lm.tokenizer, lm.name
        self._cached: dict[tuple[str, bool], tuple[int, ...]] = {}
        self._characters = 0
        alone = self._encode("a")
        self._marks_starts = any(
            self._encode("a" + text) != alone + self._encode(text)
            for text in (",", " b")
        )
        if self._marks_starts:
            for text in (",", " b", "b"):  # a tokenizer that cannot be cut: refused now
                self._cut(text)

    def __call__(self, text: str, *, at_start: bool = False) -> tuple[int, ...]:
        """Return the token ids of a segment.

        Parameters
        ----------
        text : str
        at_start : bool
            Whether nothing stands before it, so that a word-start mark belongs there.

        Raises
        ------
        ModelError
            If the segment shares a token with every anchor.
        """
        if not text:
            return ()
        if len(text) > LONGEST_CACHED:
            return self._ids(text, at_start)
        key = text, at_start
        if key not in self._cached:
            full = self._characters + len(text) > MAX_CHARACTERS
            if full or len(self._cached) >= MAX_CACHED:
                self._cached.clear()
                self._characters = 0
            self._cached[key] = self._ids(text, at_start)
            self._characters += len(text)
        return self._cached[key]

    def _ids(self, text: str, at_start: bool) -> tuple[int, ...]:
        whole = at_start or not self._marks_starts
        return self._encode(text) if whole else self._cut(text)

    def lasting(self, text: str, *, at_start: bool = False) -> list[int]:
        """Return the leading ids of a text that stay, whatever it is joined to.

        A sample of continuations is tried, so a rare one may still change them. One id
        is left off, so that something is left to read after them. A short text has
        none.
        """
        if len(self(text, at_start=at_start)) <= FEWEST_LASTING:
            return []
        wholes = [text + more for more in CONTINUATIONS] + [text.rstrip()]
        found = [self(whole, at_start=at_start) for whole in wholes]
        ids = list(os.path.commonprefix(found))[:-1]
        return ids if len(ids) >= FEWEST_LASTING else []

    def warn_of_unknown_words(self, pieces: Iterable[Piece]) -> None:
        """Say so where a template has words that a small vocabulary lacks."""
        unknown = self._tokenizer.unk_token
        for piece in pieces:
            words = getattr(piece, "text", "") or getattr(piece, "words", "")
            ids = self(words) if unknown and words.strip() else ()
            if self._tokenizer.unk_token_id in ids:
                warnings.warn(
                    f"the tokenizer of {self._name} does not know every word of "
                    f"{words.strip()!r}; for those it reads {unknown}",
                    stacklevel=5,
                )

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _cut(self, text: str) -> tuple[int, ...]:
        """Encode a segment behind an anchor, and drop the anchor's tokens.

        Where no token holds a part of both, BPE and unigram models split the segment
        as they would behind any other text that ends there.
        """
        for anchor in ANCHORS if self._tokenizer.is_fast else ():
            before, n = self._encode(anchor), len(anchor)
            both = self._tokenizer(
                anchor + text, add_special_tokens=False, return_offsets_mapping=True
            )
            ids, spans = tuple(both["input_ids"]), both["offset_mapping"]
            after = len(before)
            ends_there = all(end <= n for _, end in spans[:after])
            starts_there = all(start >= n for start, _ in spans[after:])
            if before and ids[:after] == before and ends_there and starts_there:
                return ids[after:]
        raise ModelError(
            f"the tokenizer of {self._name} ({type(self._tokenizer).__name__}) puts a "
            f"word-start mark before every text, and it cannot be cut off {text!r}: "
            "other tokens than those of the whole text would be read. Use a model "
            "with a byte-level BPE tokenizer, or one with a tokenizer.json"
        )

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_cached": {}, "_characters": 0}
