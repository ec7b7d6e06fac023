"""Which cells of a lesson become slides: one rule for all lessons.

A slide shows what a class looks at together: the idea that a section begins with, its
formulas, pictures and lists, the question before a run, and what came. Code stays in
the notebook, which the teacher has open beside the slides. The prose that is left out
becomes the notes of the slide, for the speaker's view.
"""

import html
import re
from dataclasses import dataclass, field

from .. import claims, shown
from ..site.lessons import mark_chinese
from . import blocks

ROOM = 15.0  # lines that fit below a slide's title
LONGEST_TABLE = 11  # lines, of a table that a cell shows
WIDEST_TABLE = 7
PASSED_OVER = ("Sources", "Symbols", "Glossary", "The one cell to change")
ASKS = re.compile(r"\*\*(Predict|Write|Compute|Think|Do )|\?\*\*|\?\s*$")
SOFT = "text", "code"


@dataclass
class Slide:
    """One slide.

    Attributes
    ----------
    title : str
        The heading that it stands under.
    top : bool
        Whether it begins a section. The others of a section come below it.
    parts : list of str
        Markdown and HTML, in order.
    notes : list of str
        For the speaker's view.
    """

    title: str
    top: bool = False
    parts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    used: float = 0.0

    def text(self) -> str:
        """Return the slide as the source of one Markdown cell."""
        heading = f"{'#' if self.top else '##'} {self.title}"
        return mark_chinese("\n\n".join([heading, *self.parts]))


def slides(notebook) -> list[Slide]:
    """Return a lesson's slides, in order; a slide without content is left out."""
    chosen = _Chooser()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            chosen.read(cell.source)
        elif cell.cell_type == "code":
            chosen.look_at(cell)
    return _without_empty(chosen.made)


def _without_empty(made: list[Slide]) -> list[Slide]:
    """Leave out empty slides; what follows such a one takes its place and notes."""
    kept: list[Slide] = []
    top, notes = False, []
    for slide in made:
        top, notes = top or slide.top, [*notes, *slide.notes]
        if slide.parts:
            slide.top, slide.notes = top, notes
            kept.append(slide)
            top, notes = False, []
    return kept


class _Chooser:
    """Goes through the cells; keeps the slides made so far."""

    def __init__(self):
        self.made = [Slide("", top=True)]
        self.over = self.exercise = self.asked = False
        self.section = ""

    @property
    def now(self) -> Slide:
        return self.made[-1]

    def read(self, source: str) -> None:
        """Take what a slide shows out of a cell of text."""
        if self.exercise and "<details>" in source:
            # With its hint and solution an exercise ends; the section goes on.
            self.begin(f"### {self.section or self.now.title}")
        first = True  # the first words of a cell say what it is about
        for block in blocks.blocks(source):
            if blocks.kind(block) == "heading":
                self.begin(block)
                first = True
            elif not self.over:
                self.place(block, first)
                first = first and blocks.kind(block) not in SOFT

    def begin(self, heading: str) -> None:
        level, title = blocks.HEADING.match(heading).groups()
        self.over = title in PASSED_OVER
        self.exercise = title.startswith("Exercise ")
        self.section = self.section if self.exercise else title
        self.asked = False
        self.made.append(Slide(title, top=len(level) <= 2))

    def place(self, block: str, first: bool) -> None:
        """Show a block, or put it into the notes."""
        soft = blocks.kind(block) in SOFT
        if self.exercise and block.startswith(("Expected output", "```")):
            self.over = True
        elif soft and not (first or self.exercise or ASKS.search(block)):
            self.now.notes.append(block)
        else:
            self.show(block, blocks.room(block))
            self.asked = self.asked or bool(ASKS.search(block))

    def show(self, part: str, room: float, note: str = "") -> None:
        """Put a part on this slide or, where there is no room, on a new one."""
        if room > ROOM:
            self.now.notes.append(note or part)
            return
        if self.now.used + room > ROOM:
            self.made.append(Slide(self.now.title))
        self.now.parts.append(part)
        self.now.used += room
        if note:
            self.now.notes.append(note)

    def look_at(self, cell) -> None:
        """Take what a cell has shown: figures, tables, sentences and claims."""
        if self.over or "exercise" in cell.metadata.get("tags", []):
            return
        for output in cell.outputs:
            self.turn_over()
            data = output.get("data", {})
            if "image/png" in data:
                alt = output.metadata.get("image/png", {}).get("alt", "")
                self.made.append(Slide(self.now.title))
                self.show(_figure(data["image/png"], alt), ROOM, alt)
            elif "text/markdown" in data:
                self.sentences(data["text/markdown"])
            elif "<table" in data.get("text/html", ""):
                self.table(data["text/html"])
            for line in output.get("text", "").splitlines():
                if line.startswith(claims.HOLDS):
                    self.claim(line)

    def turn_over(self) -> None:
        """Begin a new slide after a question, so that the class can think first."""
        if self.asked:
            self.made.append(Slide(self.now.title))
        self.asked = False

    def sentences(self, text: str) -> None:
        for block in blocks.blocks(text):
            self.show(block, blocks.room(block))

    def table(self, text: str) -> None:
        rows = shown.table_rows(text)
        if shown.is_prediction(rows):
            self.asked = True
            self.turn_over()
            rows = shown.without_guesses(rows)
        if len(rows) <= LONGEST_TABLE and len(rows[0]) <= WIDEST_TABLE:
            written = shown.as_markdown(rows)
            self.show(written, blocks.room(written))

    def claim(self, line: str) -> None:
        # A claim may stand below the figure that it is about: it needs little room.
        if self.now.parts and self.now.used == ROOM:
            self.made.append(Slide(self.now.title))
        self.show(f'<p class="claim">{html.escape(line)}</p>', blocks.room(line))


def _figure(png: str, alt: str) -> str:
    data = "".join(png.split())
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
