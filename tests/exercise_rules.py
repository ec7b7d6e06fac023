"""Rules for a lesson's exercises and predictions, and their wrong answers.

A rule takes a notebook and its path and gives a list of faults in words, as in
hygiene.py. For each exercise ``wrong_answers/NN.toml`` lists plausible wrong answers:

    [[ex01_2]]
    mistake = "one token is enough"         # what the learner got wrong
    code = '''
    def is_hit(log_probs, answer_ids):
        ...
    '''                                     # stands in place of the stub
    says = "second token"                   # optional: words that the check prints

test_notebooks.py runs them all in the lesson itself, before the right solution.
"""

import ast
import re
import tomllib
from pathlib import Path

from nbformat.v4 import new_code_cell

from cells import code_cells, printed, tagged

WRONG_ANSWERS = Path(__file__).parent / "wrong_answers"
LEAST_WRONG = 3
SOLUTION = re.compile(
    r"<summary>Solution</summary>\s*```python\n(?P<code>.*?)\n```(?P<why>.*?)</details>",
    re.DOTALL,
)


def exercises(notebook, path):
    cells = tagged(notebook, "exercise")
    faults = []
    if len(cells) not in (3, 4):
        faults.append(f"{len(cells)} exercises, not 3 or 4")
    for cell in cells:
        found = exercise_faults(notebook, cell)
        found += task_faults(cell_above(notebook, cell))
        found += unexplained(cell_below(notebook, cell))
        faults += [f"cell {cell.id}: {fault}" for fault in found]
    if not any("★★★" in cell_above(notebook, cell) for cell in cells):
        faults.append("no exercise has three stars")
    return faults


def exercise_faults(notebook, cell):
    faults = []
    if not re.match(r"exercises\.ex\d\d_\d\(", check_call(cell.source)):
        faults.append("the last statement is not exercises.exNN_N(...)")
    if "..." not in cell.source:
        faults.append("the stub has no ...")
    if "not done yet" not in printed(cell):
        faults.append(f"the stored output is not 'not done yet': {printed(cell)!r}")
    below = cell_below(notebook, cell)
    if "<summary>Hint</summary>" not in below:
        faults.append("no folded hint right below")
    if not SOLUTION.search(below):
        faults.append("no folded solution with one python block right below")
    return faults


def task_faults(text: str) -> list[str]:
    """What the text above an exercise's stub lacks."""
    parts = {
        "heading": r"^### Exercise \d\d\.\d · .+ \([★☆]{3}, \d+ minutes?\)$",
        "line *You practise ...*": r"^\*You practise [^*]+\*$",
        "line Expected output: ...": r"^Expected output: .+",
    }
    faults = [
        f"no {part}"
        for part, pattern in parts.items()
        if not re.search(pattern, text, re.MULTILINE)
    ]
    if "★★★" in text and re.search(r"^1\. ", text, re.MULTILINE):
        faults.append("an exercise of three stars gives steps")
    return faults


def unexplained(text: str) -> list[str]:
    solution = SOLUTION.search(text)
    if solution and not solution["why"].strip():
        return ["no sentence below the solution's code explains it"]
    return []


def predictions(notebook, path):
    cells = tagged(notebook, "prediction")
    faults = []
    if len(cells) < 2:
        faults.append(f"{len(cells)} predictions are written down, not 2 or more")
    code = code_cells(notebook)
    for cell in cells:
        after = code[code.index(cell) + 1 :]
        if "..." not in cell.source:
            faults.append(f"cell {cell.id}: the stub has no ...")
        if not after or "predictions.beside(" not in after[0].source:
            faults.append(f"cell {cell.id}: predictions.beside is not called next")
    return faults


def cell_below(notebook, cell) -> str:
    below = notebook.cells[notebook.cells.index(cell) + 1 :]
    return below[0].source if below and below[0].cell_type == "markdown" else ""


def cell_above(notebook, cell) -> str:
    above = notebook.cells[: notebook.cells.index(cell)]
    return above[-1].source if above and above[-1].cell_type == "markdown" else ""


def check_call(source: str) -> str:
    """The last statement of a cell, as it is written."""
    last = ast.parse(source).body[-1]
    return ast.get_source_segment(source, last) or ""


def solve(notebook) -> int:
    """Put the folded solutions in place of the stubs; return how many."""
    cells = tagged(notebook, "exercise")
    for cell in cells:
        solution = SOLUTION.search(cell_below(notebook, cell))["code"]
        cell.source = f"{solution}\n\n{check_call(cell.source)}"
    return len(cells)


# --- wrong answers ----------------------------------------------------------


def read_wrong_answers(path: Path) -> dict[str, list[dict]]:
    """Read a lesson's plausible wrong answers: {check: [{mistake, code, says}]}.

    They stand in ``wrong_answers/NN.toml`` beside this file; a lesson has them or not.
    """
    file = WRONG_ANSWERS / f"{path.name[:2]}.toml"
    return tomllib.loads(file.read_text()) if file.is_file() else {}


def wrong_answers(notebook, path):
    listed = read_wrong_answers(path)
    cells = tagged(notebook, "exercise")
    names = [check_name(cell) for cell in cells]
    faults = [
        f"{name} is no exercise of this lesson" for name in set(listed) - set(names)
    ]
    for name in names:
        if len(listed.get(name, [])) < LEAST_WRONG:
            faults.append(f"{name} has fewer than {LEAST_WRONG} wrong answers")
    return faults


def check_name(cell) -> str:
    """Which check a cell calls, such as ``ex01_2``."""
    return check_call(cell.source).removeprefix("exercises.").split("(")[0]


def answer_wrongly(notebook, listed: dict[str, list[dict]]) -> None:
    """Before each exercise, put a cell for each of its wrong answers.

    The exercise's own cell comes after them, so that what the lesson does next uses
    the right answer.
    """
    for cell in tagged(notebook, "exercise"):
        for wrong in listed.get(check_name(cell), []):
            source = f"{wrong['code'].strip()}\n\n{check_call(cell.source)}"
            metadata = {"tags": ["wrong"], "wrong": wrong}
            extra = new_code_cell(source, metadata=metadata)
            notebook.cells.insert(notebook.cells.index(cell), extra)


def not_refused(notebook) -> list[str]:
    """Say which wrong answers of a run lesson were not refused as they should be."""
    faults = []
    for cell in tagged(notebook, "wrong"):
        said, wrong = printed(cell), cell.metadata["wrong"]
        if ": passes." in said or wrong.get("says", "not right yet") not in said:
            faults.append(f"{check_name(cell)}: {wrong['mistake']}: {said.strip()}")
    return faults
