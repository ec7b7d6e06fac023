"""The blocks that a cell's Markdown consists of, and how much room each takes."""

import math
import re
from textwrap import dedent

WIDTH = 88  # letters in a line of a slide
TABLE_WIDTH = 110  # letters in a line of a table, which is set smaller
FORMULA = 2.6  # lines that a formula between double dollars takes
PICTURE = 12.5
DETAILS = re.compile(r"<details>.*?</details>", re.DOTALL)
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\([^)]+\.ipynb[^)]*\)")
HEADING = re.compile(r"(#+) (.+)")


def blocks(text: str) -> list[str]:
    """Cut a cell's Markdown into headings, paragraphs, lists, tables and formulas.

    What is folded is left out, and so are links to other notebooks, which a slide
    cannot follow; their words stay.
    """
    text = LINK.sub(r"\1", DETAILS.sub("", text))
    found = []
    for part in _paragraphs(text):
        lines = part.split("\n")
        while lines and HEADING.match(lines[0]):
            found.append(lines.pop(0))
        if lines:
            found.append("\n".join(lines))
    return [block for block in found if block.strip()]


def _paragraphs(text: str) -> list[str]:
    """Split at empty lines, but not within a formula or a piece of code."""
    found: list[str] = []
    open_ = False
    for part in re.split(r"\n[ \t]*\n", text):
        if open_:
            found[-1] += "\n\n" + part
        else:
            found.append(part)
        open_ ^= (part.count("```") + part.count("$$")) % 2 == 1
    # What belongs to an item of a list is set in; alone on a slide it is not.
    return [dedent(part.strip("\n")) for part in found]


def kind(block: str) -> str:
    """Say what a block is.

    Returns
    -------
    str
        ``"heading"``, ``"formula"``, ``"picture"``, ``"table"``, ``"list"``,
        ``"code"`` or ``"text"``.
    """
    if HEADING.match(block):
        return "heading"
    if block.startswith("```"):
        return "code"
    if block.lstrip().startswith("!["):
        return "picture"
    if "$$" in block:
        return "formula"
    if block.startswith("|"):
        return "table"
    if re.search(r"^(\d+\.|[-*]) ", block, re.MULTILINE):
        return "list"
    return "text"


def room(block: str) -> float:
    """Estimate the lines that a block takes on a slide."""
    found = kind(block)
    if found == "heading":
        return 0.0
    if found == "picture":
        return PICTURE
    if found == "table":
        rows = [line for line in block.split("\n") if not re.match(r"\|[-| :]+$", line)]
        return sum(_table_row(line) for line in rows) + 0.5
    if found == "list":
        items = re.split(r"\n(?=\s*(?:\d+\.|[-*]) )", block)
        return sum(_wrapped(item, WIDTH - 6) for item in items) + 0.5
    formulas = re.findall(r"\$\$.+?\$\$", block, re.DOTALL)
    words = re.sub(r"\$\$.+?\$\$", "", block, flags=re.DOTALL)
    lines = _wrapped(words, WIDTH) + 0.5 if words.strip() else 0.0
    high = sum(FORMULA * (1 + formula.count("\\\\")) for formula in formulas)
    return lines + high


def _wrapped(text: str, width: int) -> int:
    # A formula is shorter than what is typed for it.
    seen = re.sub(r"\\[a-zA-Z]+|[{}$\\*`]", "", " ".join(text.split()))
    return max(1, math.ceil(len(seen) / width))


def _table_row(line: str) -> float:
    cells = [re.sub(r"\\[a-zA-Z]+|[{}$*`]", "", c) for c in line.strip("|").split("|")]
    widest = max(len(cell) for cell in cells)
    share = TABLE_WIDTH / max(1, sum(len(cell) for cell in cells)) * widest
    lines = (
        math.ceil(widest / max(share, 8)) if sum(map(len, cells)) > TABLE_WIDTH else 1
    )
    return 0.95 * lines + 0.1
