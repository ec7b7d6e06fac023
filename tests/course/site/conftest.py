"""A small site: the toy lesson as it is stored and as a learner ran it, two pages."""

import shutil
from pathlib import Path

import nbformat
import pytest

from ptlearn.course.site import build, reference

FIXTURES = Path(__file__).parents[2] / "fixtures"
TOY = FIXTURES / "99_toy.ipynb"
START = """# A small site

Both lessons: [as stored](notebooks/99_toy.ipynb), [as run](notebooks/98_run.ipynb).
The price is not a formula, but $P = (h_0, h_1)$ is, and so is this:

$$L = -\\log p(y \\mid P, x)$$

```{toctree}
:glob:

notebooks/*
words
reference/*
```
"""
WORDS = """# Words

```{glossary}
virtual token
  <span lang="zh">伪标记</span>. One trained vector.
```
"""


@pytest.fixture(scope="session")
def run_here():
    """The toy lesson as papermill leaves it: stopped at an error."""
    notebook = nbformat.read(TOY, as_version=4)
    notebook.metadata["papermill"] = {"duration": 90.0, "parameters": {"MODEL": "tiny"}}
    remark = (
        '<span id="papermill-error-cell">An Exception was encountered at '
        "'<a href=\"#papermill-error-cell\">In [3]</a>'.</span>"
    )
    here = (
        '<span id="papermill-error-cell">Execution using papermill stopped here</span>'
    )
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(remark))
    notebook.cells.insert(5, nbformat.v4.new_markdown_cell(here))
    return notebook


@pytest.fixture(scope="session")
def site(tmp_path_factory, run_here):
    """The folder of the small site's pages."""
    source = tmp_path_factory.mktemp("source")
    target = source / "notebooks"
    shutil.copytree(FIXTURES, target)
    nbformat.write(run_here, target / "98_run.ipynb")
    (source / "index.md").write_text(START, "utf-8")
    (source / "words.md").write_text(WORDS, "utf-8")
    (source / "reference").mkdir()
    text = reference.page("ptlearn.errors", {})
    (source / "reference" / "ptlearn.errors.rst").write_text(text, "utf-8")
    out = tmp_path_factory.mktemp("site") / "pages"
    build.run_sphinx(source, out)
    return out
