"""The grading program, with something else in nbgrader's place."""

import importlib.util
import sys
import time

import nbformat
import psutil
import pytest
from nbformat.v4 import new_notebook

from ptlearn.files import REPOSITORY


@pytest.fixture
def grade():
    """The program class/grade.py as a module."""
    path = REPOSITORY / "class" / "grade.py"
    spec = importlib.util.spec_from_file_location("grade", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["grade"] = module  # where its dataclasses look for their types
    spec.loader.exec_module(module)
    yield module
    del sys.modules["grade"]


@pytest.fixture
def work(tmp_path):
    for student in ("ada", "bob"):
        folder = tmp_path / "submitted" / student / "prompts"
        folder.mkdir(parents=True)
        nbformat.write(new_notebook(), folder / "prompts.ipynb")
    return tmp_path


def instead_of_nbgrader(monkeypatch, tmp_path, code):
    """Let `python -m nbgrader` run this code."""
    (tmp_path / "nbgrader.py").write_text(code)  # the work folder is where it starts


def autograde(grade, work, seconds=60):
    limits = grade.Limits(cell=5, submission=seconds)
    return grade.autograde(work, "prompts", "ada", limits, again=False)


def test_who_has_handed_in(grade, work):
    assert grade.submitted(work, "prompts") == ["ada", "bob"]
    assert grade.submitted(work, "prompts", "bob") == ["bob"]
    assert grade.submitted(work, "encoders") == []


def test_a_whole_notebook_is_not_damaged(grade, work):
    assert grade.damage(work / "submitted" / "ada" / "prompts", "prompts") == ""


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"cells": 3, "nbformat": 4}', b"\xff\xfe\x00"]
)
def test_a_damaged_notebook_is_named(grade, work, content):
    folder = work / "submitted" / "ada" / "prompts"
    (folder / "prompts.ipynb").write_bytes(content)
    assert "prompts.ipynb is damaged" in grade.damage(folder, "prompts")
    (folder / "prompts.ipynb").unlink()
    assert grade.damage(folder, "prompts") == "there is no prompts.ipynb in it"


def test_what_nbgrader_is_asked_and_given(grade, work, monkeypatch):
    monkeypatch.setenv("SECRET", "of the teacher")
    code = "import os, sys; print(sys.argv[1:]); print(dict(os.environ))"
    instead_of_nbgrader(monkeypatch, work, code)
    assert autograde(grade, work) == ""
    said = (work / "logs" / "prompts" / "ada.log").read_text()
    assert "['autograde', 'prompts', '--student=ada', '--Execute.timeout=5'," in said
    assert "'TQDM_DISABLE': '1'" in said and "SECRET" not in said


@pytest.mark.slow
def test_a_submission_that_does_not_end_is_ended_with_its_children(
    grade, work, monkeypatch
):
    child = "import time; time.sleep(600)"
    code = f"""
import subprocess, sys, time
kernel = subprocess.Popen([sys.executable, "-c", {child!r}], start_new_session=True)
print(kernel.pid, flush=True)
time.sleep(600)
"""
    instead_of_nbgrader(monkeypatch, work, code)
    begin = time.monotonic()
    assert (
        autograde(grade, work, seconds=3) == "ended, for it ran longer than 3 seconds"
    )
    assert time.monotonic() - begin < 60
    kernel = int((work / "logs" / "prompts" / "ada.log").read_text())
    running = psutil.pid_exists(kernel) and psutil.Process(kernel).status()
    assert running in (False, psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit('DeadKernelError: Kernel died')", "killed the kernel"),
        ("raise SystemExit('CellTimeoutError: IOPub')", "could not be interrupted"),
        ("raise SystemExit('something else')", "nbgrader failed (see logs/prompts/ada"),
    ],
)
def test_a_failure_is_named(grade, work, monkeypatch, code, said):
    instead_of_nbgrader(monkeypatch, work, code)
    assert said in autograde(grade, work)


def test_the_table_says_who_was_not_graded(grade):
    good = grade.Outcome("ada", "graded", 18.0, 26.0, 2)
    lost = grade.Outcome("bob", "not graded: its code killed the kernel")
    assert grade.table([good, lost]).splitlines() == [
        "student  score so far  by hand  what happened",
        "ada      18 of 26      2        graded",
        "bob      -             0        not graded: its code killed the kernel",
        "1 of 2 were graded.",
        "The others count as 0 until you grade them by hand, or they hand in anew.",
    ]
    assert grade.table([good]).endswith("1 of 1 were graded.")
