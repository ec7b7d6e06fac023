"""Build the slides: a web page a lesson, with all that it needs beside it.

What this needs besides the clone is the extra ``docs``: reveal.js comes with
sphinx-revealjs, of which nothing else is used, and MathJax as for the web edition.
"""

import shutil
from pathlib import Path

import nbformat

from ...files import REPOSITORY
from .. import runner
from ..bundled import bundled_file
from ..site.formulas import typesetter
from .choose import Slide, slides

OUT = REPOSITORY / "build" / "slides"
TEMPLATE = Path(__file__).parent / "template"
PACKAGE = "sphinx-revealjs"
BESIDE = "reveal"
FILES = {
    "dist/reveal.js": (
        "46538b52db48724192f59bf46f5e851a18e302777c46f4a34c32709d010d6a29"
    ),
    "dist/reveal.css": (
        "68f915a11ebf7203c0446576b7e952ff61c5dd02134a8a226ffaf62ed42136d2"
    ),
    "plugin/notes/notes.js": (
        "df1201d19d03241a2897d39c3d38768177df1cbd4bde06327b321cb83461ae89"
    ),
}
"""Of reveal.js 5.2.0, with their SHA-256."""


def reveal_files(package: str = PACKAGE) -> dict[str, Path]:
    """Return where the files of reveal.js lie, by their names in reveal.js.

    Raises
    ------
    CourseError
        As from :func:`~ptlearn.course.bundled.bundled_file`.
    """
    return {
        name: bundled_file(package, f"js/{name}", checksum)
        for name, checksum in FILES.items()
    }


def build_slides(
    out: Path | None = None,
    *,
    lesson: str | None = None,
    notebooks: Path = runner.NOTEBOOKS,
) -> list[Path]:
    """Build the slides of the stored lessons; return their pages.

    Parameters
    ----------
    out : Path, optional
        Where they go; None is ``build/slides``.
    lesson : str, optional
        Only lessons whose name begins like this, such as ``"04"``.
    notebooks : Path
        Where the lessons lie.

    Raises
    ------
    CourseError
        If something needed is missing, or no lesson begins like that.
    """
    out = out or OUT
    place_files(out)
    pages = []
    for path in runner.find_lessons(lesson, folder=notebooks):
        notebook = nbformat.read(path, as_version=4)
        page = out / f"{path.stem[:2]}.html"
        page.write_text(export(slides(notebook), notebooks, path.stem), "utf-8")
        pages.append(page)
    return pages


def place_files(out: Path) -> None:
    """Copy reveal.js, MathJax and our style into the folder of the slides."""
    copies = reveal_files() | {"slides.css": TEMPLATE / "slides.css"}
    copies["tex-svg.js"] = typesetter()
    for name, path in copies.items():
        target = out / BESIDE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def export(chosen: list[Slide], folder: Path, title: str) -> str:
    """Let nbconvert write the slides as a page.

    Parameters
    ----------
    chosen : list of Slide
        In order.
    folder : Path
        Where the pictures lie that the slides name; they go into the page.
    title : str
        Of the page.
    """
    from nbconvert import SlidesExporter
    from traitlets.config import Config

    settings = {
        "template_name": TEMPLATE.name,
        "extra_template_basedirs": [str(TEMPLATE.parent)],
        "reveal_url_prefix": BESIDE,
        "mathjax_url": f"{BESIDE}/tex-svg.js",
        "reveal_theme": "white",
        "embed_images": True,
    }
    resources = {"metadata": {"path": str(folder), "name": title}}
    exporter = SlidesExporter(config=Config({"SlidesExporter": settings}))
    page, _ = exporter.from_notebook_node(notebook_of(chosen), resources=resources)
    return page


def notebook_of(chosen: list[Slide]):
    """Return a notebook with a cell for each slide, and one for its notes."""
    cells = []
    for slide in chosen:
        cells.append(_cell(slide.text(), "slide" if slide.top else "subslide"))
        if slide.notes:
            cells.append(_cell("\n\n".join(slide.notes), "notes"))
    return nbformat.v4.new_notebook(cells=cells)


def _cell(text: str, kind: str):
    metadata = {"slideshow": {"slide_type": kind}}
    return nbformat.v4.new_markdown_cell(text, metadata=metadata)
