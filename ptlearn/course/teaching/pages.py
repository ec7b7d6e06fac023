"""Lay out the teacher's kit as sources of the web edition.

The pages in ``class/`` have marks where numbers stand that a lesson owns; they are
filled from the notebooks here. What lies beside the lessons in the site has the same
paths as in the repository, so that one link serves both.
"""

import shutil
from pathlib import Path

from ...errors import CourseError
from ...files import REPOSITORY
from .. import runner
from ..site import pages as site_pages
from ..site.lessons import mark_chinese
from . import notebooks, plans, questions

CLASS = REPOSITORY / "class"
TOGETHER = """
```{toctree}
:hidden:
:glob:

plans
lessons/*
questions
projects/*
grading
```
"""


def lay_out(target: Path, lessons: Path = runner.NOTEBOOKS, kit: Path = CLASS) -> None:
    """Write all pages of the kit into a folder.

    Parameters
    ----------
    target : Path
        It lies beside the folder with the lessons' pages.
    lessons : Path
        Where the notebooks lie.
    kit : Path
        Where the kit lies.

    Raises
    ------
    CourseError
        If a page has marks that nobody fills, or a lesson has no page.
    """
    (target / "lessons").mkdir(parents=True)
    readme = (kit / "README.md").read_text(encoding="utf-8")
    _write(target / "README.md", readme + TOGETHER)
    titles = {}
    for path in runner.find_lessons(folder=lessons):
        lesson = path.name[:2]
        written = kit / "lessons" / f"{lesson}.md"
        if not written.exists():
            raise CourseError(f"The teacher's kit has no page {written.name}.")
        notebook, _ = notebooks.read(lesson, lessons)
        titles[lesson] = notebooks.opening(notebook)[0]
        filled = lesson_page(written.read_text(encoding="utf-8"), notebook, path.name)
        _write(target / "lessons" / written.name, filled)
    bank = questions.read_bank(kit / "questions.yml")
    _write(
        target / "questions.md", _fill(kit / "questions.md", bank=bank, titles=titles)
    )
    made = {n: plans.tables(d) for n, d in plans.read_plans(kit / "plans.yml").items()}
    text = (kit / "plans.md").read_text(encoding="utf-8")
    _write(target / "plans.md", site_pages.fill(text, made))
    shutil.copytree(kit / "projects", target / "projects")
    shutil.copy(kit / "grading.md", target)


def lesson_page(text: str, notebook, name: str) -> str:
    """Fill a lesson's page of the kit.

    Parameters
    ----------
    text : str
        The page with its marks.
    notebook : NotebookNode
        The lesson.
    name : str
        The file name of the notebook.
    """
    title, subtitle, table, objectives = notebooks.opening(notebook)
    table = table.replace("](", "](../../notebooks/")
    made = {
        "at a glance": f"[{title}](../../notebooks/{name}): *{subtitle}*\n\n{table}\n\n"
        f"{objectives}",
        "sections": notebooks.sections_table(notebook),
        "exercises": notebooks.exercises_table(notebook),
        "predictions": notebooks.predictions_table(notebook),
        "results": notebooks.results(notebook),
    }
    return mark_chinese(site_pages.fill(text, made))


def _fill(page: Path, bank: list, titles: dict[str, str]) -> str:
    text = page.read_text(encoding="utf-8")
    return site_pages.fill(text, {"questions": questions.page(bank, titles)})


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
