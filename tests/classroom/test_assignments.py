"""The graded assignments: every question has its parts, and refuses wrong answers."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

import classroom_rules as rules
import hygiene
from cells import code_cells
from ptlearn.course.runner import KERNEL_ARGUMENTS
from ptlearn.files import REPOSITORY

NAMES = ["prompts", "encoders"]
GRADING = (REPOSITORY / "class" / "grading.md").read_text()
OF_LESSONS = [
    hygiene.kernelspec,
    hygiene.cell_ids,
    hygiene.line_length,
    hygiene.no_installs,
    hygiene.no_absolute_paths,
]


def path(name):
    return rules.ASSIGNMENTS / name / f"{name}.ipynb"


def read(name):
    return nbformat.read(path(name), as_version=4)


def test_these_are_all_assignments():
    found = [path.parent.name for path in rules.ASSIGNMENTS.rglob("*.ipynb")]
    assert sorted(found) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_assignment_is_a_valid_notebook(name):
    nbformat.validate(read(name))
    for rule in OF_LESSONS:
        assert rule(read(name), path(name)) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_an_assignment_obeys(rule, name):
    assert rule(read(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_each_code_question_has_wrong_answers(name):
    assert rules.wrong_answers(read(name), rules.read_wrong_answers(name)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_solutions_pass_and_each_wrong_answer_is_refused(name):
    notebook = rules.answer_wrongly(read(name), rules.read_wrong_answers(name))
    client = NotebookClient(
        notebook, kernel_name="python3", extra_arguments=KERNEL_ARGUMENTS, timeout=300
    )
    client.execute()  # stops at a solution that fails: only wrong answers may
    assert rules.not_refused(notebook) == []
    own = [cell for cell in code_cells(notebook) if "tags" not in cell.metadata]
    assert [rules.errors(cell) for cell in own] == [""] * len(own)


# --- the rubric -------------------------------------------------------------


def rubric_faults(name: str, notebook, text: str) -> list[str]:
    """How the rubric's points differ from the assignment's."""
    worth = rules.points(notebook)
    faults = []
    for cell in rules.in_words(notebook):
        heading = rf"^### `{name}`, question {cell.id[1:]}: [^\n]+ \((\d+) points\)$"
        found = re.search(heading + r"(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
        if not found:
            faults.append(f"{name} {cell.id} has no rubric")
            continue
        lines = re.findall(r"^\| (\d+) \|", found[2], re.MULTILINE)
        if not int(found[1]) == sum(map(int, lines)) == worth[cell.id]:
            faults.append(
                f"{name} {cell.id}: {worth[cell.id]} points, the rubric's heading says "
                f"{found[1]}, its lines {lines}"
            )
    return faults


@pytest.mark.parametrize("name", NAMES)
def test_each_written_question_has_a_rubric_of_its_points(name):
    assert rubric_faults(name, read(name), GRADING) == []


def test_a_rubric_that_does_not_add_up_is_noticed():
    text = GRADING.replace("| 1 |", "| 2 |", 1)
    assert rubric_faults("prompts", read("prompts"), text) != []
    assert rubric_faults("prompts", read("prompts"), "") != []


# --- every rule bites -------------------------------------------------------


def cut(notebook, cell, old, new=""):
    found = rules.by_id(notebook)[cell]
    assert old in found.source
    found.source = found.source.replace(old, new)


def drop(notebook, cell):
    notebook.cells.remove(rules.by_id(notebook)[cell])


BREAKS = {
    "three questions": lambda n: [drop(n, f"q{i}") for i in (1, 2, 3, 4)],
    "no written question": lambda n: [drop(n, "q6"), drop(n, "q7")],
    "no solution": lambda n: cut(n, "q1", "### BEGIN SOLUTION"),
    "no visible check": lambda n: cut(n, "q1-tests", "assert ", "print "),
    "no hidden tests": lambda n: cut(n, "q1-tests", "### END HIDDEN TESTS"),
    "no tests": lambda n: drop(n, "q2-tests"),
    "a silent assert": lambda n: cut(
        n, "q1-tests", "assert len(got) == 2", "assert len(got)\nassert len(got) == 2"
    ),
    "tests that students may edit": lambda n: rules.graded(
        rules.by_id(n)["q1-tests"]
    ).update(locked=False),
    "other points": lambda n: rules.graded(rules.by_id(n)["q1-tests"]).update(points=9),
    "no points": lambda n: rules.graded(rules.by_id(n)["q6"]).pop("points"),
    "a count": lambda n: rules.by_id(n)["setup"].update(execution_count=1),
}


@pytest.mark.parametrize("broken_by", BREAKS.values(), ids=BREAKS)
def test_a_rule_bites(broken_by):
    notebook = read("prompts")
    broken_by(notebook)
    faults = []
    for rule in rules.RULES:
        try:
            faults += rule(notebook)
        except KeyError as error:  # what is missing is missed
            faults.append(str(error))
    assert faults


def test_too_few_wrong_answers_are_noticed():
    listed = rules.read_wrong_answers("prompts")
    assert rules.wrong_answers(read("prompts"), listed | {"q1": listed["q1"][:2]})
    assert rules.wrong_answers(read("prompts"), listed | {"q9": listed["q1"]})
    seen = [wrong | {"passes_visible": False} for wrong in listed["q1"]]
    assert rules.wrong_answers(read("prompts"), listed | {"q1": seen})


def test_a_wrong_answer_that_passes_is_noticed():
    wrong = {"q1": [{"mistake": "none", "code": "", "passes_visible": True}]}
    notebook = rules.answer_wrongly(read("prompts"), wrong)
    assert rules.not_refused(notebook) == ["q1: none: passes"]
