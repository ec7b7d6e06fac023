"""What the cells of a notebook have shown: tables, and predictions with what came."""

import html
import re

from bs4 import BeautifulSoup

from .predictions import NONE_YET


def table_rows(text: str) -> list[list[str]]:
    """Return the lines of a DataFrame's HTML, each with as many cells as the head.

    A group's name, which stands once for several lines, is left empty in the others.
    The line that holds only the index's name is laid over the head.
    """
    rows = [
        [cell.get_text().strip() for cell in row.find_all(["th", "td"])]
        for row in BeautifulSoup(text, "html.parser").find_all("tr")
    ]
    width = max(map(len, rows))
    rows = [[""] * (width - len(row)) + row for row in rows]
    second = rows[1] if len(rows) > 1 else []
    # The index's names stand below the head, where no other column has a value.
    if any(second) and not any(
        b for a, b in zip(rows[0][1:], second[1:], strict=True) if a
    ):
        rows[:2] = [[b or a for a, b in zip(rows[0], second, strict=True)]]
    return rows


def is_prediction(rows: list[list[str]]) -> bool:
    """Whether a table lays predictions beside what came (``predictions.beside``)."""
    return rows[0][1:3] == ["you predicted", "what came"]


def without_guesses(rows: list[list[str]]) -> list[list[str]]:
    """Return what was asked and what came, where nobody wrote a prediction down."""
    if not is_prediction(rows) or any(row[1] != NONE_YET for row in rows[1:]):
        return rows
    return [["asked", "what came"], *([row[0], row[2]] for row in rows[1:])]


def predictions(notebook) -> list[tuple[str, str, str]]:
    """Return what a lesson asks to be predicted: the section, the name, what came."""
    found, section = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = (
                re.findall(r"^##+ (.+)$", cell.source, re.MULTILINE) or [section]
            )[-1]
        for output in cell.get("outputs", []):
            text = output.get("data", {}).get("text/html", "")
            if "what came" in text:
                found += [(section, row[0], row[2]) for row in table_rows(text)[1:]]
    return found


def as_markdown(rows: list[list[str]]) -> str:
    """Write lines of text as a table in Markdown, the first of them as its head."""
    lines = ["| " + " | ".join(map(plain, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def plain(text: str) -> str:
    """Return a text such that Markdown reads nothing into it."""
    safe = html.escape(text, quote=False).replace("|", "\\|")
    return re.sub(r"([_*$`\[\]{}])", r"\\\1", safe)
