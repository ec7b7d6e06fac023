"""The whole web edition is built, and every rule holds on every page."""

import re

import nbformat
import pytest

import site_rules
from cells import text_cells
from ptlearn.course import runner
from ptlearn.course.site import build, reference

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "site"
    return build.build_site(out, jobs=1).parent


def test_every_page_obeys_every_rule(site):
    assert site_rules.faults_of_site(site) == []


def test_every_lesson_has_its_page_with_all_that_it_holds(site):
    start = site_rules.read(site / "index.html")
    listed = {a["href"] for a in start.select("article a[href]")}
    for path in runner.find_lessons():
        assert f"notebooks/{path.stem}.html" in listed
        page = site_rules.read(site / "notebooks" / f"{path.stem}.html")
        notebook = nbformat.read(path, as_version=4)
        prose = "\n\n".join(cell.source for cell in text_cells(notebook))
        folds = prose.count("<details>")
        assert len(page.select("article details")) == folds
        assert len(page.select("article .math")) == formulas(notebook)
        figures = sum(
            "image/png" in output.get("data", {})
            for cell in notebook.cells
            for output in cell.get("outputs", [])
        )
        pictures = len(re.findall(r"!\[[^\]]*\]\(", prose))
        assert len(page.select("article img")) == figures + pictures


def formulas(notebook) -> int:
    """Formulas between dollars, counted in the notebook itself, code left out."""
    texts = [cell.source for cell in text_cells(notebook)]
    texts += [
        output["data"]["text/markdown"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "text/markdown" in output.get("data", {})
    ]
    text = "\n\n".join(texts)
    text = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    return len(re.findall(r"\$\$.+?\$\$|\$[^$]+\$", text, re.DOTALL))


def test_every_package_is_in_the_reference(site):
    for name in reference.packages():
        page = site_rules.read(site / "reference" / f"{name}.html")
        assert page.select_one("article h1").get_text().startswith(name)
    top = site_rules.read(site / "reference" / "ptlearn.html")
    assert top.find(id="ptlearn.PromptTuner.fold")
