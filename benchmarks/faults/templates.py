"""Strings that may be templates: read and written back, or refused with a caret."""

import random
from collections.abc import Iterator
from pathlib import Path

from ptlearn.errors import TemplateError
from ptlearn.tasks.readers import SURROGATE
from ptlearn.templates.language import Template, render

from .counts import STRINGS_EACH
from .outcome import Outcome

PARTS = (
    *("{answer}", "{subject}", "{text}", "{two words}", "[V]", "[V:3]", "[V:007]"),
    *('[V:"is in"]', '[V:"a \\"b\\" ]"]', '[V:"', '"]', "[V:", "[", "]", "{", "}"),
    *("[[", "]]", "{{", "}}", "[V:0]", "[V:1001]", "[V:99999999999]", "{}", "{ x }"),
    *(" ", "\n", "\r", "\t", "\\", '"', ":", "V", "7", "The capital", " is "),
    *(
        "é",
        "e\u0301",
        "漢字",
        "🙂",
        "👩‍👩‍👧",
        "שלום",
        "\u202e",
        "\u2028",
        "\x00",
        "\x0b",
    ),
    *("\ud800", "٣", "\u200b", "\ufeff"),
)
LETTERS = '[]{}V:0123"\\ answer\nx'


def trial(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Each number stands for so many strings, drawn from it."""
    for number in numbers:
        draw, outcome = random.Random(number), Outcome()
        for _ in range(STRINGS_EACH):
            text = drawn(draw)
            kind, fell = read(text)
            outcome.add(kind, fell and f"{text!r}: {fell}")
        yield outcome


def drawn(draw: random.Random) -> str:
    """Return a string of the language's parts, of its letters, or nearly a template."""
    way = draw.random()
    if way < 0.2:
        return "".join(draw.choices(LETTERS, k=draw.randint(0, 40)))
    if way < 0.25:
        characters = (draw.randrange(0x110000) for _ in range(draw.randint(0, 20)))
        return "".join(map(chr, characters)) + draw.choice(["", "{answer}"])
    text = "".join(draw.choices(PARTS, k=draw.randint(0, 9)))
    if way < 0.7:
        text += " {answer}"
    if way < 0.5 and text:  # one slip of the keyboard
        place = draw.randrange(len(text))
        slip = draw.choice(["", draw.choice(LETTERS)])
        text = text[:place] + slip + text[place + draw.randint(0, 1) :]
    return text


def read(text: str) -> tuple[str, str]:
    """Return how a string held, or how it fell."""
    try:
        template = Template(text)
    except TemplateError as error:
        return "refused", fault_of_message(text, str(error))
    except Exception as error:
        return "", f"{type(error).__name__}: {error}"
    written = render(template.pieces)
    if Template(written).pieces != template.pieces:
        return "", f"comes back otherwise from {written!r}"
    return "read", ""


def fault_of_message(text: str, message: str) -> str:
    """Say what is wrong with an error's caret; "" if it stands within the text."""
    # Only "\n" ends a line of a template.
    reason, _, rest = message.partition("\n    ")
    line, _, caret = rest.rpartition("\n    ")
    if not reason or caret.strip(" ") != "^":
        return f"no caret in {message!r}"
    if line not in SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text).split("\n"):
        return f"shows {line!r}, which is no line of the template"
    if not 0 <= caret.index("^") <= len(line):
        return f"the caret stands at {caret.index('^')} of {line!r}"
    return ""
