"""The template language: what a prompt looks like before it becomes tokens.

``Template("[V:3] {subject} [V:3] {answer}")`` is three virtual tokens, the column
``subject``, three more virtual tokens, and the place where the model answers: the
template that the P-Tuning paper uses for GPT on LAMA (Liu et al. 2021, section 4.1).

The parser reads the text from left to right with one regular expression; nothing is
ever evaluated, and the values of fields are never parsed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from ..errors import DataError, TemplateError
from ..tasks.readers import SURROGATE
from ..tasks.rows import cell_text, did_you_mean

MAX_VIRTUAL_TOKENS = 1000
"""Most virtual tokens in one slot: a larger number is a slip of the keyboard."""


@dataclass(frozen=True)
class Text:
    """Ordinary, frozen words."""

    text: str


@dataclass(frozen=True)
class Field:
    """A column of the task, written ``{name}``."""

    name: str


@dataclass(frozen=True)
class Virtual:
    """``count`` virtual tokens, written ``[V]`` or ``[V:count]``."""

    count: int = 1


@dataclass(frozen=True)
class VirtualWords:
    """One virtual token for each token of ``words``, written ``[V:"words"]``."""

    words: str


@dataclass(frozen=True)
class Answer:
    """Where the model answers, written ``{answer}``."""


Piece = Text | Field | Virtual | VirtualWords | Answer

# In order: the first alternative that matches at a place is what stands there.
TOKEN = re.compile(
    r"""
    (?P<literal>\[\[|\]\]|\{\{|\}\})
  | (?P<virtual>\[V(?::(?P<count>[0-9]+))?\])
  | \[V:"(?P<words>(?:[^"\\]|\\.)*)"\]
  | \{(?P<field>[^{}\[\]]*)\}
  | (?P<text>[^\[\]{}]+)
    """,
    re.VERBOSE | re.DOTALL,
)


class Template:
    """A parsed prompt template.

    Parameters
    ----------
    text : str
        The template; ``docs/package.md`` describes the language.

    Attributes
    ----------
    pieces : tuple of Text, Field, Virtual, VirtualWords and Answer
    fields : tuple of str
        The columns it needs, each once, in order (``answer`` is not one of them).

    Raises
    ------
    TemplateError
        If the text is not a template. The message points at the place.
    """

    def __init__(self, text: str):
        if not isinstance(text, str):
            raise TemplateError(f"a template is a string, not {type(text).__name__}")
        self.text = text
        self.pieces = tuple(_join_texts(_parse(text)))
        fields = [piece.name for piece in self.pieces if isinstance(piece, Field)]
        self.fields = tuple(dict.fromkeys(fields))

    @property
    def has_virtual_tokens(self) -> bool:
        """Whether there is anything in it to train."""
        return any(isinstance(p, Virtual | VirtualWords) for p in self.pieces)

    def fill(self, row: dict) -> tuple[Piece, ...]:
        """Fill in one row: each field replaced by its value, neighbouring texts joined.

        Neighbouring text and fields become one ``Text``, because a tokenizer must
        see them together: "Paris" alone and "Paris" after a space are different
        tokens.

        Raises
        ------
        DataError
            If the row lacks a column, or a cell holds neither text nor a number; the
            message names the columns there are.
        """
        filled = []
        for piece in self.pieces:
            if isinstance(piece, Field):
                if piece.name not in row:
                    present = list(map(str, row))
                    raise DataError(
                        f"the template needs a column {piece.name!r}."
                        f"{did_you_mean(piece.name, present)} "
                        f"The row has: {', '.join(present) or 'none'}."
                    )
                piece = Text(cell_text(row[piece.name], piece.name))
            filled.append(piece)
        return tuple(_join_texts(filled))

    def __eq__(self, other) -> bool:
        return isinstance(other, Template) and self.pieces == other.pieces

    def __hash__(self) -> int:
        return hash(self.pieces)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


def render(pieces: Iterable[Piece]) -> str:
    """Write pieces as template text: ``Template(render(p.pieces)).pieces == p.pieces``.

    Lets code build templates without writing brackets by hand.
    """
    return "".join(_render_one(piece) for piece in pieces)


def _render_one(piece: Piece) -> str:
    match piece:
        case Text(text):
            return re.sub(r"[\[\]{}]", lambda m: m[0] * 2, text)
        case Field(name):
            return "{" + name + "}"
        case Virtual(count):
            return "[V]" if count == 1 else f"[V:{count}]"
        case VirtualWords(words):
            escaped = words.replace("\\", "\\\\").replace('"', '\\"')
            return f'[V:"{escaped}"]'
        case Answer():
            return "{answer}"


def _parse(text: str) -> list[Piece]:
    if half := SURROGATE.search(text):
        _fail(text, half.start(), "half of a character: read the text anew, as UTF-8")
    pieces: list[Piece] = []
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            _refuse(text, position)
        pieces.append(_piece(match, text))
        if isinstance(pieces[-1], Answer) and Answer() in pieces[:-1]:
            _fail(text, position, "{answer} stands here a second time; keep one")
        position = match.end()
    if Answer() not in pieces:
        _fail(text, len(text), "{answer} is missing: say where the model answers")
    return pieces


def _piece(match: re.Match, text: str) -> Piece:
    found, at = match.groupdict(), match.start()
    if found["literal"]:
        return Text(found["literal"][0])
    if found["text"]:
        return Text(found["text"])
    if found["virtual"]:
        return Virtual(_count(found["count"], text, at))
    if found["words"] is not None:
        words = re.sub(r"\\(.)", r"\1", found["words"], flags=re.DOTALL)
        if not words.strip():
            _fail(text, at, 'no words between the quotes; write [V:"some words"]')
        return VirtualWords(words)
    name = found["field"]
    if not name or name != name.strip():
        _fail(text, at, "a field is a column's name in braces, like {subject}")
    return Answer() if name == "answer" else Field(name)


def _count(digits: str | None, text: str, at: int) -> int:
    if digits is None:
        return 1
    # The length is looked at first: int() itself refuses thousands of digits.
    if len(digits) > 9 or not 1 <= int(digits) <= MAX_VIRTUAL_TOKENS:
        _fail(
            text,
            at,
            f"the number of virtual tokens must be from 1 to {MAX_VIRTUAL_TOKENS}",
        )
    return int(digits)


def _refuse(text: str, position: int) -> NoReturn:
    """Say what is wrong with a bracket or brace that opens or closes nothing."""
    rest = text[position:]
    if rest.startswith('[V:"'):
        closed = re.match(r'\[V:"(?:[^"\\]|\\.)*"', rest, re.DOTALL)
        reason = (
            "a ] must follow the closing quote"
            if closed
            else 'this quote is never closed; write [V:"some words"] '
            '(and \\" for a quote inside)'
        )
    else:
        reason = {
            "[": 'expected [V], [V:3] or [V:"some words"]; '
            "for a plain bracket write [[",
            "]": "this ] closes nothing; for a plain bracket write ]]",
            "{": "expected a column's name and }, like {subject}; "
            "for a plain brace write {{",
            "}": "this } closes nothing; for a plain brace write }}",
        }[rest[0]]
    _fail(text, position, reason)


def _fail(text: str, position: int, reason: str) -> NoReturn:
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[start:] if end < 0 else text[start:end]
    line = SURROGATE.sub("\N{REPLACEMENT CHARACTER}", line)  # it cannot be printed
    caret = " " * (position - start) + "^"
    raise TemplateError(f"{reason}\n    {line}\n    {caret}")


def _join_texts(pieces: Iterable[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Text) and joined and isinstance(joined[-1], Text):
            joined[-1] = Text(joined[-1].text + piece.text)
        elif piece != Text(""):
            joined.append(piece)
    return joined
