"""The pages that are made: start page, glossary and symbols, results, benchmarks."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat

from ...errors import CourseError
from .. import claims, runner
from .lessons import mark_chinese, stopped

MADE = re.compile(r"<!-- made: (.+?) -->")
LOOK_UP = "[0-9][0-9]_start_here.ipynb"
"""The lesson that holds the tables of symbols and words."""


@dataclass(frozen=True)
class Lesson:
    """What the list of lessons says of one."""

    page: str  # without its ending: notebooks/00_start_here
    title: str
    subtitle: str
    study_time: str
    minutes: str
    exercises: int
    run: str = ""  # of a learner's own run: minutes and claims


def lesson(path: Path, own: Path | None = None) -> Lesson:
    """Read a lesson's title, its opening table and its exercises.

    Parameters
    ----------
    path : Path
        The lesson as it is stored.
    own : Path, optional
        Its executed copy, which says how it went here.

    Raises
    ------
    CourseError
        If the first cell is not the one that every lesson begins with.
    """
    notebook = nbformat.read(path, as_version=4)
    opening = notebook.cells[0].source
    found = re.match(r"# (.+)\n\*([^*]+)\*\n(?:\n\|.*){2}\n\| (.*) \|", opening)
    if found is None:
        raise CourseError(
            f"{path.name} does not begin with a title, a subtitle and a table: "
            "see another lesson's first cell."
        )
    study_time, minutes, *_ = found[3].split(" | ")
    stubs = [c for c in notebook.cells if "exercise" in c.metadata.get("tags", [])]
    return Lesson(
        f"notebooks/{path.stem}",
        found[1],
        " ".join(found[2].split()),
        study_time,
        minutes,
        len(stubs),
        _run(own) if own else "",
    )


def _run(executed: Path) -> str:
    notebook = nbformat.read(executed, as_version=4)
    run = notebook.metadata.get("papermill", {})
    held, made = claims.count(runner.printed_text(notebook))
    minutes = f"{run['duration'] / 60:.1f}" if run.get("duration") else ""
    end = ", then an error" if stopped(notebook) else ""
    return f"{minutes} | {held} of {made}{end}"


def lessons_table(lessons: list[Lesson]) -> str:
    """List the lessons in Markdown, each with a link to its page."""
    head = "| lesson | what it is about | study time | minutes | exercises |\n"
    return (
        head
        + "|---|---|---|---|---|\n"
        + "\n".join(
            f"| [{one.title}]({one.page}.ipynb) | {one.subtitle} | {one.study_time} | "
            f"{one.minutes} | {one.exercises} |"
            for one in lessons
        )
    )


def run_table(lessons: list[Lesson]) -> str:
    """List the lessons that were run on this computer; "" where none was."""
    own = [one for one in lessons if one.run]
    if not own:
        return ""
    lines = [f"| [{one.title}]({one.page}.ipynb) | {one.run} |" for one in own]
    return (
        "## On this computer\n\n"
        "These lessons were run here. The others show the outputs that they came "
        "with.\n\n| lesson | minutes | claims held |\n|---|---|---|\n"
    ) + "\n".join(lines)


def fill(template: str, made: dict[str, str]) -> str:
    """Put what was made in the place of each mark ``<!-- made: NAME -->``.

    Raises
    ------
    CourseError
        If a mark names nothing that is made, or something has no mark.
    """
    wanted = set(MADE.findall(template))
    if wanted != set(made):
        odd = ", ".join(sorted(wanted ^ set(made)))
        raise CourseError(f"A page and what is made for it differ in: {odd}.")
    return MADE.sub(lambda mark: made[mark[1]], template)


def look_up_page(folder: Path) -> str:
    """Return the page of words and symbols, out of the tables of lesson 00."""
    (path,) = folder.glob(LOOK_UP)
    cells = {c.id: c.source for c in nbformat.read(path, as_version=4).cells}
    symbols = _without_fold(cells["symbols"].partition("## Symbols\n")[2])
    more = _without_fold(cells["symbols-training"])
    words = _terms(cells["glossary"])
    return (
        "# Glossary and symbols\n\n"
        f"Both stand in [lesson 00](notebooks/{path.name}), too.\n\n"
        f"## Glossary\n\n```{{glossary}}\n{words}\n```\n\n"
        f"## Symbols\n\n{symbols}\n\n{more}\n"
    )


def _without_fold(text: str) -> str:
    return re.sub(r"</?details>(<summary>.*?</summary>)?", "", text).strip()


def _terms(text: str) -> str:
    """Turn the lines of a table (English, Chinese, meaning) into terms."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+) \|$", text, re.MULTILINE)
    if len(rows) < 2:
        raise CourseError("The glossary of lesson 00 has no table of words.")
    # The first line is the table's head.
    return "\n\n".join(
        f"{english}\n  {mark_chinese(chinese)}. {meaning[0].upper()}{meaning[1:]}."
        for english, chinese, meaning in rows[1:]
    )


def copy_docs(folder: Path, target: Path) -> None:
    """Copy the pages that are written by hand, all but the start page.

    In the repository they lead to READMEs, which are pages of their own here.
    """
    for page in folder.glob("*.md"):
        if page.name != "index.md":
            text = page.read_text(encoding="utf-8")
            text = text.replace("](../benchmarks/README.md", "](benchmarks/index.md")
            text = text.replace("](../data/results/README.md", "](results/index.md")
            (target / page.name).write_text(text, encoding="utf-8")


def copy_page(page: Path, target: Path) -> None:
    """Copy a README and the pictures that it shows, to be a page of the site."""
    text = page.read_text(encoding="utf-8")
    target.mkdir(parents=True, exist_ok=True)
    (target / "index.md").write_text(text, encoding="utf-8")
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        (target / picture).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page.parent / picture, target / picture)
