"""What a page of the teacher's kit takes from its lesson: times, tables, results."""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from ...errors import CourseError
from .. import claims, runner, shown

EXERCISE = re.compile(
    r"### Exercise (\d\d)\.(\d) · (.+?) \((★[★☆]*), (\d+) minutes\)\n\*(.+?)\*",
    re.DOTALL,
)
CLOSING = ("Summary", "Self-check", "Sources", "Symbols", "Glossary")
LEVELS = {"★☆☆": "easy", "★★☆": "middling", "★★★": "hard"}


@dataclass(frozen=True)
class Exercise:
    """An exercise, as its heading tells it."""

    number: int  # 2 of 04.2
    title: str
    level: str
    minutes: int
    practised: str


def read(lesson: str, folder: Path = runner.NOTEBOOKS):
    """Return the notebook of a lesson and its path.

    Parameters
    ----------
    lesson : str
        Its two digits.
    folder : Path
        Where the lessons lie.

    Raises
    ------
    CourseError
        If there is no such lesson.
    """
    path = runner.find_lessons(lesson, folder=folder)[0]
    return nbformat.read(path, as_version=4), path


def opening(notebook) -> tuple[str, str, str, str]:
    """Return a lesson's title, subtitle, table and objectives, as they are written."""
    source = notebook.cells[0].source
    found = re.fullmatch(
        r"# (.+?)\n\*(.+?)\*\n\n(\|.+?)\n\n## Objectives\n(.+)", source, re.DOTALL
    )
    if found is None:
        raise CourseError(f"Not a lesson's first cell: {source[:60]!r}.")
    return found[1], " ".join(found[2].split()), found[3], found[4]


def study_minutes(notebook) -> int:
    """Return the study time in minutes; what may be skipped does not count."""
    time = opening(notebook)[2].splitlines()[2].split("|")[1]
    main = time.split(",")[0]
    parts = {unit: int(n) for n, unit in re.findall(r"(\d+) (hour|minute)s?", main)}
    if not parts:
        raise CourseError(f"No study time can be read from {time.strip()!r}.")
    return 60 * parts.get("hour", 0) + parts.get("minute", 0)


def exercises(notebook) -> list[Exercise]:
    """Return the exercises of a lesson, in order."""
    text = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    return [
        Exercise(int(number), title, stars, int(minutes), " ".join(told.split()))
        for _, number, title, stars, minutes, told in EXERCISE.findall(text)
    ]


def exercises_table(notebook) -> str:
    """Write the exercises as a table in Markdown."""
    lines = ["| exercise | level | minutes | what is practised |", "|---|---|---|---|"]
    for one in exercises(notebook):
        told = one.practised.removeprefix("You practise ").rstrip(".:")
        level = LEVELS[one.level]
        lines.append(
            f"| {one.number} · {one.title} | {level} | {one.minutes} | {told} |"
        )
    return "\n".join(lines)


def sections_table(notebook) -> str:
    """Write the sections in order, with what waits in each."""
    lines = ["| section | figures | to predict | exercises |", "|---|---|---|---|"]
    for title, cells in _sections(notebook):
        figures = sum("image/png" in o.get("data", {}) for o in _outputs(cells))
        text = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
        figures += len(re.findall(r"^!\[", text, re.MULTILINE))
        asked = len(shown.predictions(nbformat.v4.new_notebook(cells=cells)))
        named = ", ".join(f"{a}.{b}" for a, b, *_ in EXERCISE.findall(text))
        lines.append(f"| {title} | {figures or ''} | {asked or ''} | {named} |")
    return "\n".join(lines)


def _sections(notebook) -> list[tuple[str, list]]:
    """Return the cells below each heading of the second level, but for the closing."""
    found: list[tuple[str, list]] = []
    for cell in notebook.cells[1:]:
        heading = cell.cell_type == "markdown" and re.match(r"## (.+)", cell.source)
        if heading:
            found.append((heading[1], []))
        if found:
            found[-1][1].append(cell)
    return [(title, cells) for title, cells in found if title not in CLOSING]


def _outputs(cells: list) -> list:
    return [output for cell in cells for output in cell.get("outputs", [])]


def predictions_table(notebook) -> str:
    """Write what is to be predicted, and what came in the stored run."""
    head = ["section", "asked", "what came"]
    return shown.as_markdown([head, *shown.predictions(notebook)])


def results(notebook) -> str:
    """Write the lesson's claims, and the sentences that its cells computed."""
    printed = runner.printed_text(notebook).splitlines()
    held = [line.removeprefix(claims.HOLDS) for line in printed if claims.HOLDS in line]
    data = [output.get("data", {}) for output in _outputs(notebook.cells)]
    said = [one["text/markdown"] for one in data if "text/markdown" in one]
    prose = [
        text for text in said if "|" not in text and not text.startswith(("*", "#"))
    ]
    parts = ["The claims that held:", "\n".join(f"- {shown.plain(c)}" for c in held)]
    return "\n\n".join([*parts, "What the cells say:", *prose])
