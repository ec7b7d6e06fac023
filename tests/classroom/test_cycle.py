"""A class from release to grades, with nbgrader: five students of five kinds."""

import csv
import subprocess
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest

import classroom_rules as rules
from ptlearn.files import REPOSITORY

VENV = REPOSITORY / ".venv-class"
CELL_SECONDS, SECONDS = 45, 400
NAME = "prompts"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not (VENV / "bin" / "nbgrader").exists(),
        reason="skipped: no .venv-class, run make class-setup",
    ),
]

FOREVER = """
def choose_rate(dev):
    while True:
        pass
"""
KILLS = """
import os


def choose_rate(dev):
    os._exit(1)
"""


class Graded(NamedTuple):
    """A course folder after the whole cycle."""

    work: Path
    said: str  # by the grading program
    tree_before: str


def tree() -> str:
    """What git sees that is not committed."""
    command = ["git", "status", "--porcelain"]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return done.stdout


def make(work, target, *variables):
    """Run one of the class's targets; the environment is taken as it is."""
    ready = ["-o", VENV.name + "/.ready"]
    command = ["make", *ready, target, f"CLASS_WORK={work}", *variables]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def solved(notebook):
    """Put the solutions into a student's notebook."""
    source = nbformat.read(
        rules.ASSIGNMENTS / NAME / f"{NAME}.ipynb", as_version=nbformat.NO_CONVERT
    )
    solutions = rules.by_id(source)
    for cell in rules.questions(notebook):
        cell.source = solutions[cell.id].source


def answered(question, code):
    """Return what solves a notebook, but for one question."""

    def answer(notebook):
        solved(notebook)
        rules.by_id(notebook)[question].source = code

    return answer


def wrong(notebook):
    """Answer each code question by a wrong answer that passes the visible check."""
    for question, listed in rules.read_wrong_answers(NAME).items():
        found = next(answer for answer in listed if answer.get("passes_visible"))
        rules.by_id(notebook)[question].source = found["code"]


def nothing(notebook):
    pass


STUDENTS = {
    "right": solved,
    "wrong": wrong,
    "empty": nothing,
    "forever": answered("q5", FOREVER),
    "kills": answered("q5", KILLS),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Run the whole cycle, from the release to the grades."""
    before = tree()
    work = tmp_path_factory.mktemp("class")
    make(work, "class")
    make(work, "class-release", f"ASSIGNMENT={NAME}")
    for student, answer in STUDENTS.items():
        make(work, "class-fetch", f"ASSIGNMENT={NAME}", f"STUDENT={student}")
        path = work / "students" / student / NAME / f"{NAME}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        answer(notebook)
        nbformat.write(notebook, path)
        make(work, "class-submit", f"ASSIGNMENT={NAME}", f"STUDENT={student}")
    make(work, "class-collect", f"ASSIGNMENT={NAME}")
    command = [VENV / "bin" / "python", "class/grade.py", NAME, "--work", work]
    command += ["--cell-seconds", str(CELL_SECONDS), "--seconds", str(SECONDS)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    make(work, "class-feedback", f"ASSIGNMENT={NAME}")
    make(work, "class-grades")
    return Graded(work, done.stdout, before)


def source():
    return nbformat.read(rules.ASSIGNMENTS / NAME / f"{NAME}.ipynb", as_version=4)


def test_both_assignments_are_released_without_solutions_and_hidden_tests(graded):
    work = graded.work
    for name in ("prompts", "encoders"):
        text = (work / "release" / name / f"{name}.ipynb").read_text()
        assert "SOLUTION" not in text and "HIDDEN" not in text
        notebook = nbformat.reads(text, as_version=4)
        cells = rules.by_id(notebook)
        for cell in rules.in_code(notebook):
            assert 'raise NotImplementedError("not done yet")' in cell.source
            tests = cells[f"{cell.id}-tests"].source
            assert "assert " in tests
        for cell in rules.in_words(notebook):
            assert cell.source == "*Your answer here.*"


def test_the_grades_are_those_that_the_students_earned(graded):
    work = graded.work
    with open(work / "grades.csv") as file:
        lines = [line for line in csv.DictReader(file) if line["assignment"] == NAME]
    scores = {line["student_id"]: float(line["score"]) for line in lines}
    worth = rules.points(source())
    in_code = sum(worth[cell.id] for cell in rules.in_code(source()))
    assert scores == {
        "right": in_code,  # the written answers wait for the teacher
        "wrong": 0,
        "empty": 0,
        "forever": in_code - worth["q5"],
        "kills": 0,
    }
    assert {float(line["max_score"]) for line in lines} == {sum(worth.values())}


def test_the_table_says_what_happened(graded):
    said = graded.said
    lines = {line.split()[0]: line for line in said.splitlines()[len(STUDENTS) :]}
    assert lines["right"].endswith("graded") and " 2 " in lines["right"]
    assert "interrupted, for they did not end: q5-tests" in lines["forever"]
    assert "not graded: its code killed the kernel" in lines["kills"]
    assert " 0 of " in lines["wrong"] and " 0 of " in lines["empty"]
    assert "4 of 5 were graded." in said


def test_each_graded_student_has_a_page_that_shows_the_tests(graded):
    work = graded.work
    pages = {path.parts[-3] for path in (work / "feedback").glob("*/*/*.html")}
    assert pages == set(STUDENTS) - {"kills"}
    page = (work / "feedback" / "wrong" / NAME / f"{NAME}.html").read_text()
    assert "HIDDEN TESTS" in page and "AssertionError" in page
    make(work, "class-fetch", f"ASSIGNMENT={NAME}", "STUDENT=wrong")
    (fetched,) = (work / "students" / "wrong" / NAME / "feedback").rglob("*.html")
    assert fetched.read_text() == page


def test_nothing_was_written_into_the_tree(graded):
    assert tree() == graded.tree_before


def test_a_submission_that_holds_on_or_is_damaged_stops_nobody(graded):
    work = graded.work
    stubborn = """
def two_scores(logits, answers, right):
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
"""
    for student in ("right", "forever"):
        folder = work / "submitted" / student / NAME
        path = folder / f"{NAME}.ipynb"
        path.chmod(0o644)
        if student == "right":
            path.write_text('{"cells": [')
        else:
            notebook = nbformat.read(path, as_version=4)
            rules.by_id(notebook)["q1"].source = stubborn
            nbformat.write(notebook, path)
    command = [VENV / "bin" / "python", "class/grade.py", NAME, "--work", work]
    command += ["--again", "--cell-seconds", "30"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert "not graded: prompts.ipynb is damaged" in done.stdout
    assert "not graded: a cell did not end and could not be" in done.stdout
    assert "2 of 5 were graded." in done.stdout
