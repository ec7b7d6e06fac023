"""Build the web edition: lay out its sources, then let Sphinx make the pages.

What it needs besides the clone is the extra ``docs``. Nothing is run again: a page
shows the outputs that its notebook holds, those of the repository or of a learner's
own run.
"""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from ...errors import CourseError
from ...files import REPOSITORY
from .. import runner
from ..teaching import pages as teaching
from . import colab, findings, formulas, pages, reference

DOCS = REPOSITORY / "docs"
OUT = REPOSITORY / "build" / "site"
PACKAGES = ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx_copybutton")


def missing_packages() -> str:
    """Say what is missing to make pages, and the remedy; "" if nothing is."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        return (
            f"Pages need {', '.join(missing)}. Install what pages need: "
            "pip install -c constraints.txt -e '.[docs]'"
        )
    try:
        formulas.typesetter()
    except CourseError as error:
        return str(error)
    return ""


def build_site(
    out: Path | None = None,
    *,
    executed: Path | None = None,
    notebooks: Path = runner.NOTEBOOKS,
    jobs: int = 2,
    strict: bool = True,
) -> Path:
    """Build all pages; return the start page.

    Parameters
    ----------
    out : Path, optional
        Where the pages go; None is ``build/site``.
    executed : Path, optional
        A folder of notebooks that were run here: each takes the place of the stored
        one of its name.
    notebooks : Path
        Where the lessons lie.
    jobs : int
        Processes side by side.
    strict : bool
        A warning of Sphinx, such as a link that leads nowhere, is an error.

    Raises
    ------
    CourseError
        If something needed is missing, or Sphinx fails.
    """
    if missing := missing_packages():
        raise CourseError(missing)
    out = out or OUT
    out.parent.mkdir(parents=True, exist_ok=True)
    # What is there is replaced only by whole pages.
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as work:
        source, made = Path(work, "source"), Path(work, "pages")
        lay_out(source, executed, notebooks)
        run_sphinx(source, made, jobs, strict)
        if colab.write(made / colab.FOLDER, notebooks):
            (made / ".nojekyll").touch()  # GitHub Pages would drop the folder _static
        shutil.rmtree(out, ignore_errors=True)
        made.rename(out)
    return out / "index.html"


def lay_out(source: Path, executed: Path | None, notebooks: Path) -> None:
    """Put everything that Sphinx reads into one folder."""
    source.mkdir(parents=True)
    pages.copy_docs(DOCS, source)
    lessons = copy_lessons(source / "notebooks", executed, notebooks)
    (source / "glossary.md").write_text(pages.look_up_page(notebooks), "utf-8")
    pages.copy_page(REPOSITORY / "benchmarks" / "README.md", source / "benchmarks")
    pages.copy_page(REPOSITORY / "data" / "results" / "README.md", source / "results")
    reference.write(source / "reference")
    teaching.lay_out(source / "class", notebooks)
    judged = findings.found()
    made = {
        "run": pages.run_table(lessons),
        "picture": findings.draw(judged, source),
        "found": findings.table(judged),
        "how to read": findings.how_to_read(judged),
        "lessons": pages.lessons_table(lessons),
    }
    start = pages.fill((DOCS / "index.md").read_text("utf-8"), made)
    (source / "index.md").write_text(start, "utf-8")


def copy_lessons(
    target: Path, executed: Path | None, notebooks: Path
) -> list[pages.Lesson]:
    """Copy the lessons and their pictures; return what the list says of each."""
    lessons, paths = [], runner.find_lessons(folder=notebooks)
    target.mkdir()
    shutil.copytree(notebooks / "figures", target / "figures")
    for stored in paths:
        own = executed / stored.name if executed else None
        if own and not own.exists():
            own = None
        shutil.copyfile(own or stored, target / stored.name)
        lessons.append(pages.lesson(stored, own))
    return lessons


def run_sphinx(source: Path, out: Path, jobs: int = 1, strict: bool = True) -> None:
    """Let Sphinx make the pages out of a folder of sources."""
    # -P: a file of the learner's that is called sphinx.py is not what is meant.
    command = [sys.executable, "-P", "-m", "sphinx", "-b", "html", "--no-color"]
    command += ["--quiet", "-j", str(jobs)]
    command += ["--fail-on-warning", "--keep-going"] if strict else []
    command += ["-c", str(DOCS), "-d", str(out.parent / "doctrees")]
    done = subprocess.run(
        [*command, str(source), str(out)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise CourseError(f"Sphinx could not make the pages:\n{done.stderr.strip()}")
