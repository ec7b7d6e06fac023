"""Copies of the lessons for Google Colab, which opens a notebook and nothing beside it.

A copy begins with a cell that installs the package, shows its pictures from the
repository, and leads to the other copies. It can only be made where the repository's
address is known, so it lies in the web edition and not among the lessons. Colab opens
what lies on GitHub: the pages are to be published on the branch ``gh-pages`` there.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

import nbformat

from .. import runner
from . import address

HOST = "https://colab.research.google.com"
FOLDER = "colab"  # of the web edition
PAGES_BRANCH = "gh-pages"
CELL = """\
# For Google Colab: installs the course and keeps Colab's own torch.
# Run it first. Anywhere else it does nothing.
import sys

if "google.colab" in sys.modules:
    %pip install -q "ptlearn[course] @ git+{repository}@{branch}"
"""


def repository() -> str | None:
    """Return the repository's address if it is on GitHub, else None."""
    found = address.repository()
    return found if found and found.startswith("https://github.com/") else None


def write(folder: Path, notebooks: Path = runner.NOTEBOOKS) -> list[Path]:
    """Write a copy of every lesson; none where Colab cannot open them.

    Parameters
    ----------
    folder : Path
        Where the copies go.
    notebooks : Path
        Where the lessons lie.
    """
    home = repository()
    if home is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    copies = []
    for path in runner.find_lessons(folder=notebooks):
        copies.append(folder / path.name)
        nbformat.write(copy(nbformat.read(path, as_version=4), home), copies[-1])
    return copies


def copy(notebook, home: str):
    """Change a lesson into the copy that Colab opens, and return it."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = lead_out(cell.source, home)
    cell = nbformat.v4.new_code_cell(
        CELL.format(repository=home, branch=address.BRANCH).strip(), id="colab"
    )
    notebook.cells.insert(1, cell)  # below the title
    notebook.metadata.pop("ptlearn", None)  # the stamp is that of the lesson's code
    return notebook


def lead_out(text: str, home: str) -> str:
    """Give the pictures and the lessons that a text names their public addresses."""
    name = urlsplit(home).path
    raw = f"https://raw.githubusercontent.com{name}/{address.BRANCH}/notebooks/"
    # GitHub sends an SVG as a picture only if it is asked to clean it.
    text = re.sub(r"\]\((figures/[^)]+)\)", rf"]({raw}\1?sanitize=true)", text)
    return re.sub(r"\]\((\d\d_\w+)\.ipynb", rf"]({link(home)}\1.ipynb", text)


def link(home: str) -> str:
    """Return what all addresses of copies in Colab begin with."""
    return f"{HOST}/github{urlsplit(home).path}/blob/{PAGES_BRANCH}/{FOLDER}/"


def button(lesson: str) -> dict | None:
    """Return the theme's button that opens a lesson's copy in Colab, or None.

    Parameters
    ----------
    lesson : str
        The name of its file.
    """
    home = repository()
    if home is None:
        return None
    return {
        "type": "link",
        "url": link(home) + lesson,
        "icon": "_static/images/logo_colab.png",
        "text": "Colab",
        "tooltip": "Launch on Colab",
    }
