"""Refreshing lessons in place: what changes, what stays, and what a failure leaves."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from ptlearn.course import refresh as course
from ptlearn.errors import CourseError

TOY = Path(__file__).parents[1] / "fixtures" / "99_toy.ipynb"


@pytest.fixture
def folder(tmp_path):
    """A folder of lessons of its own, with the toy lesson in it."""
    return Path(shutil.copytree(TOY.parent, tmp_path / "notebooks"))


@pytest.mark.lessons
def test_a_refresh_of_a_fresh_lesson_changes_only_measured_output(folder):
    path = folder / TOY.name
    before = nbformat.read(path, as_version=4)
    course.refresh(folder=folder)
    after = nbformat.read(path, as_version=4)
    for cell in [*before.cells, *after.cells]:
        if cell.get("id") in ("setup", "figure"):  # versions, pixels
            cell.outputs = []
    assert after == before


@pytest.mark.lessons
def test_a_lesson_that_fails_keeps_its_file(folder):
    path = folder / TOY.name
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, new_code_cell("1 / 0"))
    nbformat.write(notebook, path)
    before = path.read_bytes()
    with pytest.raises(CourseError, match="99_toy was left as it was"):
        course.refresh(folder=folder)
    assert path.read_bytes() == before


def test_tidy_leaves_only_lasting_metadata():
    notebook = nbformat.read(TOY, as_version=4)
    good = nbformat.from_dict(notebook)
    notebook.metadata["widgets"] = {"state": {}}
    notebook.cells[1].metadata["execution"] = {"iopub.execute_input": "12:00"}
    notebook.cells[1].execution_count = 40
    course.tidy(notebook)
    assert notebook == good


def test_the_stamp_follows_the_code_and_not_the_prose():
    notebook = nbformat.read(TOY, as_version=4)
    stamp = course.code_sha256(notebook)
    notebook.cells[0].source += "\nMore prose."
    assert course.code_sha256(notebook) == stamp
    notebook.cells[1].source += "\n"
    assert course.code_sha256(notebook) != stamp
