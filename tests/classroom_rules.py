"""Rules for the graded assignments in class/assignments, and their wrong answers.

An assignment is a notebook in which solution, visible check and hidden tests stand
together. A question is a cell ``qN``. If it is answered in code, ``qN-tests`` stands
below it; if in words, ``qN`` itself is graded, by hand. A rule takes a notebook and
gives a list of faults in words.

For each code question ``classroom/wrong_answers/NAME.toml`` lists wrong answers:

    [[q1]]
    mistake = "the two scores change places"   # what the learner got wrong
    code = '''
    def two_scores(logits, answers, right):
        ...
    '''                                         # stands in place of the solution
    passes_visible = true    # only the hidden tests notice it; left out means false
    says = "P@1 for"         # optional: words that the tests print
"""

import copy
import re
import tomllib
from pathlib import Path

from nbformat.v4 import new_code_cell

from cells import code_cells, tagged, text_cells
from ptlearn.files import REPOSITORY

ASSIGNMENTS = REPOSITORY / "class" / "assignments"
WRONG_ANSWERS = Path(__file__).parent / "classroom" / "wrong_answers"
LEAST_WRONG = 3
BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"


def graded(cell) -> dict:
    """What nbgrader knows of a cell."""
    return cell.metadata.get("nbgrader", {})


def by_id(notebook) -> dict:
    return {cell.id: cell for cell in notebook.cells}


def questions(notebook) -> list:
    return [cell for cell in notebook.cells if re.fullmatch(r"q\d+", cell.id)]


def in_code(notebook) -> list:
    return [cell for cell in questions(notebook) if cell.cell_type == "code"]


def in_words(notebook) -> list:
    return [cell for cell in questions(notebook) if cell.cell_type == "markdown"]


def points(notebook) -> dict[str, int]:
    """{question: points}, as nbgrader counts them."""
    return {
        cell.id.removesuffix("-tests"): graded(cell)["points"]
        for cell in notebook.cells
        if graded(cell).get("grade")
    }


# --- rules ------------------------------------------------------------------


def number_of_questions(notebook):
    faults = []
    if not 5 <= len(questions(notebook)) <= 7:
        faults.append(f"{len(questions(notebook))} questions, not 5 to 7")
    if len(in_words(notebook)) not in (1, 2):
        faults.append(f"{len(in_words(notebook))} written questions, not 1 or 2")
    return faults


def parts_of_a_code_question(notebook):
    faults, cells = [], by_id(notebook)
    for cell in in_code(notebook):
        if not stands(cell.source, BEGIN_SOLUTION, END_SOLUTION):
            faults.append(f"{cell.id} has no solution between its two marks")
        tests = cells[f"{cell.id}-tests"].source if f"{cell.id}-tests" in cells else ""
        if "assert " not in visible(tests):
            faults.append(f"{cell.id} has no visible check")
        if not stands(tests, BEGIN_HIDDEN, END_HIDDEN):
            faults.append(f"{cell.id} has no hidden tests")
    return faults


def stands(source: str, begin: str, end: str) -> bool:
    """Whether something stands between two marks that occur once each."""
    if source.count(begin) != 1 or source.count(end) != 1:
        return False
    return bool(source.split(begin)[1].split(end)[0].strip())


def visible(source: str) -> str:
    """Return the part of a cell that students get to see."""
    return source.split(BEGIN_HIDDEN)[0]


def asserts_speak(notebook):
    """Every assert says something to the learner."""
    return [
        f"{cell.id}: no message: {found.strip()}"
        for cell in code_cells(notebook)
        for found in re.findall(r"^ *assert [^,\n]*$", cell.source, re.MULTILINE)
    ]


def metadata(notebook):
    """Solutions can be edited, all else is restored; ids are those of the cells."""
    faults = []
    for cell in notebook.cells:
        found = graded(cell)
        answer = bool(re.fullmatch(r"q\d+", cell.id))
        tests = cell.id.endswith("-tests")
        written = answer and cell.cell_type == "markdown"
        wanted = {
            "grade": tests or written,
            "grade_id": cell.id,
            "locked": not answer,
            "schema_version": 3,
            "solution": answer,
            "task": False,
        }
        extra = set(cell.metadata) - {"nbgrader"}
        if extra:
            faults.append(f"{cell.id}: metadata {sorted(extra)}")
        if {k: v for k, v in found.items() if k != "points"} != wanted:
            faults.append(f"{cell.id}: nbgrader's metadata are {dict(found)}")
        if ("points" in found) != wanted["grade"]:
            faults.append(f"{cell.id}: points stand where a cell is graded, only there")
    return faults


def headings_tell_the_points(notebook):
    faults, given = [], points(notebook)
    text = "\n".join(cell.source for cell in text_cells(notebook))
    for number, (question, worth) in enumerate(given.items(), start=1):
        told = re.findall(rf"^## Question {number} · .+ \((\d+) points\)$", text, re.M)
        if told != [str(worth)]:
            faults.append(
                f"{question} is worth {worth} points, its heading says {told}"
            )
    total = sum(given.values())
    words = {5: "Five", 6: "Six", 7: "Seven"}
    if f"{words.get(len(given))} questions, {total} points." not in text:
        faults.append(
            f"the first cell does not say {len(given)} questions, {total} points"
        )
    return faults


def no_outputs(notebook):
    return [
        f"{cell.id} has outputs or a count"
        for cell in code_cells(notebook)
        if cell.outputs or cell.execution_count is not None
    ]


RULES = (
    number_of_questions,
    parts_of_a_code_question,
    asserts_speak,
    metadata,
    headings_tell_the_points,
    no_outputs,
)


# --- wrong answers ----------------------------------------------------------


def read_wrong_answers(name: str) -> dict[str, list[dict]]:
    return tomllib.loads((WRONG_ANSWERS / f"{name}.toml").read_text())


def wrong_answers(notebook, listed):
    """Each code question has some, and its hidden tests are needed for one at least."""
    names = {cell.id for cell in in_code(notebook)}
    faults = [f"{name} is no code question" for name in sorted(set(listed) - names)]
    for name in sorted(names):
        found = listed.get(name, [])
        if len(found) < LEAST_WRONG:
            faults.append(f"{name} has fewer than {LEAST_WRONG} wrong answers")
        if not any(wrong.get("passes_visible") for wrong in found):
            faults.append(f"{name}: no wrong answer passes the visible check")
    return faults


def answer_wrongly(notebook, listed: dict[str, list[dict]]):
    """A copy with each question's wrong answers before its solution.

    Behind each stand the visible check and all tests; both may fail.
    """
    notebook = copy.deepcopy(notebook)
    cells = by_id(notebook)
    for question, answers in listed.items():
        tests = cells[f"{question}-tests"].source
        place = notebook.cells.index(cells[question])
        extra = []
        for wrong in answers:
            what = {"question": question, "wrong": wrong}
            extra += [
                new_code_cell(wrong["code"].strip()),
                new_code_cell(visible(tests), metadata=tags("visible", what)),
                new_code_cell(tests, metadata=tags("hidden", what)),
            ]
        notebook.cells[place:place] = extra
    return notebook


def tags(name: str, what: dict) -> dict:
    return {"tags": [name, "raises-exception"], **what}


def not_refused(notebook) -> list[str]:
    """Say which wrong answers of a run notebook were not refused as they should be."""
    faults = []
    checks = zip(tagged(notebook, "visible"), tagged(notebook, "hidden"), strict=True)
    for check, tests in checks:
        wrong = tests.metadata["wrong"]
        what = f"{tests.metadata['question']}: {wrong['mistake']}"
        said = errors(tests)
        if not said:
            faults.append(f"{what}: passes")
        elif wrong.get("says", "") not in said:
            faults.append(f"{what}: {said}")
        if bool(errors(check)) == wrong.get("passes_visible", False):
            faults.append(
                f"{what}: the visible check says {errors(check) or 'nothing'!r}"
            )
    return faults


def errors(cell) -> str:
    """What nbgrader takes for a failure: errors, and anything on stderr."""
    said = [
        f"{output.ename}: {output.evalue}"
        for output in cell.outputs
        if output.output_type == "error"
    ]
    said += [o.text for o in cell.outputs if o.get("name") == "stderr"]
    return "\n".join(said)
