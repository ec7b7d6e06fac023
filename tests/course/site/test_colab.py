"""Copies of the lessons for Colab: they install, and leave Colab's torch as it is."""

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

from ptlearn.course import runner
from ptlearn.course.site import build, colab

HOME = "https://github.com/owner/name"
TOY = Path(__file__).parents[2] / "fixtures" / "99_toy.ipynb"
COLAB_TORCH = ["2.6.0+cu124", "2.9.1+cu126"]
FAKE_PIP = """
import json, os, sys
with open(os.environ["PIP_WAS_ASKED"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
"""


@pytest.fixture
def published(monkeypatch):
    monkeypatch.setenv("PTLEARN_REPOSITORY", HOME)


def first_cell(folder: Path) -> str:
    """The first code cell of a lesson's copy."""
    copies = colab.write(folder, TOY.parent)
    notebook = nbformat.read(copies[0], as_version=4)
    nbformat.validate(notebook)
    return next(cell.source for cell in notebook.cells if cell.cell_type == "code")


def asked_of_pip(source: str, folder: Path, *, on_colab: bool) -> list[list[str]]:
    """What a cell asks of pip, run by IPython where both Colab and pip are fakes."""
    asked, fakes = folder / "asked.jsonl", folder / "fakes"
    asked.touch()
    for package, code in (("pip", FAKE_PIP), ("google/colab", "")):
        (fakes / package).mkdir(parents=True)
        (fakes / package / "__init__.py").touch()
        (fakes / package / "__main__.py").write_text(code)
    (fakes / "google" / "__init__.py").touch()
    cell = folder / "cell.ipy"
    cell.write_text("import google.colab\n" * on_colab + source)
    environment = dict(os.environ) | {
        "PYTHONPATH": str(fakes),
        "PIP_WAS_ASKED": str(asked),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    command = [sys.executable, "-m", "IPython", "--no-banner", cell]
    subprocess.run(command, env=environment, cwd=folder, check=True, timeout=120)
    return [json.loads(line) for line in asked.read_text().splitlines()]


def faults(asked: list[str]) -> list[str]:
    """How a call of pip could replace a package that Colab has."""
    renewing = {"-U", "--upgrade", "-I", "--ignore-installed", "--force-reinstall"}
    named = [word for word in asked if word.startswith("torch")]
    return [word for word in asked if word in renewing] + named


def test_on_colab_the_first_cell_installs_and_leaves_torch_alone(published, tmp_path):
    (asked,) = asked_of_pip(first_cell(tmp_path / "out"), tmp_path, on_colab=True)
    assert asked == ["install", "-q", f"ptlearn[course] @ git+{HOME}@main"]
    assert faults(asked) == []


def test_a_cell_that_renews_torch_is_noticed(tmp_path):
    bad = "%pip install -q -U torch ptlearn"
    (asked,) = asked_of_pip(bad, tmp_path, on_colab=True)
    assert faults(asked) == ["-U", "torch"]


def test_anywhere_else_the_first_cell_does_nothing(published, tmp_path):
    source = first_cell(tmp_path / "out")
    assert asked_of_pip(source, tmp_path, on_colab=False) == []


def needed(name: str, extra: str, found: dict) -> dict:
    """{package: its requirements}, of a package and of all that it needs."""
    if name in found:
        return found
    wanted = [Requirement(r) for r in metadata.requires(name) or []]
    found[name] = [
        r for r in wanted if not r.marker or r.marker.evaluate({"extra": extra})
    ]
    for requirement in found[name]:
        needed(requirement.name, "".join(requirement.extras), found)
    return found


@pytest.mark.parametrize("version", COLAB_TORCH)
def test_nothing_that_the_course_needs_wants_another_torch_than_colabs(version):
    """So pip, which only replaces what does not fit, keeps it."""
    found = needed("ptlearn", "course", {})
    asking = {
        name: requirement.specifier.contains(version)
        for name, listed in found.items()
        for requirement in listed
        if requirement.name == "torch"
    }
    assert {"ptlearn", "accelerate", "peft"} <= set(asking)
    assert all(asking.values()), asking


def test_a_copy_shows_its_pictures_and_leads_to_the_other_copies():
    text = (
        "[00 · Start](00_start_here.ipynb) ![A map.](figures/a.svg) [doc](glossary.md)"
    )
    assert colab.lead_out(text, HOME) == (
        "[00 · Start](https://colab.research.google.com/github/owner/name/blob/"
        "gh-pages/colab/00_start_here.ipynb) ![A map.](https://raw."
        "githubusercontent.com/owner/name/main/notebooks/figures/a.svg?sanitize=true) "
        "[doc](glossary.md)"
    )


def test_every_lesson_has_a_copy_that_needs_no_neighbour(published, tmp_path):
    copies = colab.write(tmp_path)
    assert [path.name for path in copies] == [p.name for p in runner.find_lessons()]
    for path in copies:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        prose = "".join(c.source for c in notebook.cells if c.cell_type == "markdown")
        targets = re.findall(r"\]\(([^)]+)\)", prose)
        assert all(t.startswith(("https://", "#")) for t in targets), targets


@pytest.mark.parametrize("address", ["", "https://gitlab.com/owner/name"])
def test_where_colab_cannot_open_them_there_are_no_copies(
    address, tmp_path, monkeypatch
):
    monkeypatch.setattr(colab.address, "repository", lambda: address or None)
    assert colab.write(tmp_path / "colab") == []
    assert not (tmp_path / "colab").exists()
    assert colab.button("00_start_here.ipynb") is None


def test_the_web_edition_holds_the_copies_of_its_lessons(
    published, tmp_path, monkeypatch
):
    monkeypatch.setattr(build, "lay_out", lambda *_: None)
    monkeypatch.setattr(build, "run_sphinx", lambda source, made, *_: made.mkdir())
    start = build.build_site(tmp_path / "site")
    copies = sorted(p.name for p in (start.parent / "colab").iterdir())
    assert copies == [p.name for p in runner.find_lessons()]
    assert (start.parent / ".nojekyll").exists()
