"""The lessons obey the rules, and every rule bites on a notebook that breaks it."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from papermill import inspect_notebook

import exercise_rules
import hygiene
from cells import printed, tagged
from ptlearn.course import runner as course

TOY = Path(__file__).parent / "fixtures" / "99_toy.ipynb"
LESSONS = sorted(course.NOTEBOOKS.glob("*.ipynb"))
RULES = {rule.__name__: rule for rule in hygiene.RULES}


def name(path):
    return path.stem


@pytest.mark.parametrize("path", [*LESSONS, TOY], ids=name)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_lesson_obeys(rule, path):
    assert rule(nbformat.read(path, as_version=4), path) == []


# --- every rule bites -------------------------------------------------------

BREAKS = {}


def breaks(rule):
    """Mark a function that makes the toy lesson break `rule`."""

    def keep(function):
        BREAKS.setdefault(rule, []).append(function)
        return function

    return keep


@pytest.fixture
def toy(tmp_path):
    """A copy of the toy lesson, and its path."""
    shutil.copytree(TOY.parent, tmp_path, dirs_exist_ok=True)
    path = tmp_path / TOY.name
    return nbformat.read(path, as_version=4), path


def test_each_rule_has_a_notebook_that_breaks_it():
    assert set(BREAKS) == set(RULES)


def pytest_generate_tests(metafunc):
    if "broken_by" in metafunc.fixturenames:
        cases = [(rule, f) for rule, functions in BREAKS.items() for f in functions]
        ids = [f"{rule}-{function.__name__}" for rule, function in cases]
        metafunc.parametrize(("rule", "broken_by"), cases, ids=ids)


def test_rule_bites(rule, broken_by, toy):
    notebook, path = toy
    path = broken_by(notebook, path) or path
    assert RULES[rule](notebook, path) != []


def cell(notebook, id_):
    return next(cell for cell in notebook.cells if cell.id == id_)


@breaks("kernelspec")
def other_kernel(notebook, path):
    notebook.metadata.kernelspec.name = "my-venv"


@breaks("file_name")
def upper_case(notebook, path):
    return path.with_name("1-Toy.ipynb")


@breaks("size")
def big_file(notebook, path):
    path.write_bytes(b" " * 300_000)


@breaks("metadata")
def papermill_left(notebook, path):
    notebook.metadata["papermill"] = {}


@breaks("metadata")
def widgets_left(notebook, path):
    notebook.metadata["widgets"] = {}


@breaks("metadata")
def cell_times_left(notebook, path):
    cell(notebook, "sum").metadata["execution"] = {}


@breaks("cell_ids")
def id_twice(notebook, path):
    cell(notebook, "sum").id = "square"


@breaks("cell_ids")
def no_id(notebook, path):
    del notebook.cells[3]["id"]


@breaks("stamp")
def code_edited(notebook, path):
    cell(notebook, "sum").source += " + 0"


@breaks("stamp")
def never_stamped(notebook, path):
    del notebook.metadata["ptlearn"]


@breaks("cell_length")
def long_cell(notebook, path):
    cell(notebook, "sum").source = "\n".join(["1"] * 26)


@breaks("line_length")
def long_line(notebook, path):
    cell(notebook, "sum").source = "#" * 80


@breaks("parameters")
def no_parameters(notebook, path):
    cell(notebook, "parameters").metadata.tags = []


@breaks("parameters")
def two_parameter_cells(notebook, path):
    cell(notebook, "sum").metadata["tags"] = ["parameters"]


@breaks("parameters")
def lower_case_parameter(notebook, path):
    cell(notebook, "parameters").source += "\nsteps = 3"


@breaks("parameters")
def no_seed(notebook, path):
    code = cell(notebook, "parameters")
    code.source = code.source.replace("SEED", "START")


@breaks("no_installs")
def pip_install(notebook, path):
    cell(notebook, "setup").source += "\n%pip install torch"


@breaks("no_installs")
def shell_line(notebook, path):
    cell(notebook, "setup").source += "\n!ls"


@breaks("executed")
def cells_run_out_of_order(notebook, path):
    cell(notebook, "sum").execution_count = 17


@breaks("executed")
def cell_never_run(notebook, path):
    cell(notebook, "sum").execution_count = None


@breaks("no_errors")
def stored_error(notebook, path):
    error = new_output("error", ename="ValueError", evalue="no", traceback=[])
    cell(notebook, "sum").outputs.append(error)


@breaks("no_absolute_paths")
def home_folder_printed(notebook, path):
    text = "saved to /" + "home/me/prompt.json"
    cell(notebook, "sum").outputs.append(new_output("stream", text=text))


@breaks("no_absolute_paths")
def drive_in_code(notebook, path):
    cell(notebook, "sum").source = r'open("C:\lessons\data.csv")'


@breaks("no_addresses")
def object_printed(notebook, path):
    data = {"text/plain": "<ptlearn.lm.load.LanguageModel at 0x7f3a2b>"}
    cell(notebook, "model").outputs = [new_output("display_data", data)]


@breaks("no_progress_bars")
def bar_stored(notebook, path):
    data = {"text/plain": "scoring:  30%|###       | 3/10 [00:02<00:04]"}
    cell(notebook, "sum").outputs.append(new_output("display_data", data))


@breaks("checked_outputs")
def too_few_marked(notebook, path):
    code = cell(notebook, "sum")
    code.source = code.source.replace(hygiene.MARK, "#")


@breaks("checked_outputs")
def marked_without_output(notebook, path):
    cell(notebook, "sum").outputs = []


@breaks("alt_of_figures")
def figure_without_alt(notebook, path):
    png = {"image/png": "aGVsbG8="}
    cell(notebook, "sum").outputs = [new_output("display_data", png)]


@breaks("alt_of_figures")
def caption_not_printed(notebook, path):
    outputs = cell(notebook, "figure").outputs
    outputs[:] = [output for output in outputs if output.output_type != "stream"]


@breaks("alt_of_pictures")
def short_alt(notebook, path):
    cell(notebook, "box").source = "![box](figures/99_box.svg)"


@breaks("alt_of_pictures")
def html_picture(notebook, path):
    cell(notebook, "box").source = '<img src="figures/99_box.svg">'


@breaks("pictures_exist")
def lost_picture(notebook, path):
    cell(notebook, "box").source = "![A box that is not there.](figures/box.svg)"


@breaks("pictures_exist")
def transparent_picture(notebook, path):
    svg = path.parent / "figures" / "99_box.svg"
    svg.write_text(svg.read_text().replace('width="100%"', 'width="10"'))


@breaks("title")
def wrong_number(notebook, path):
    return path.with_name("98_toy.ipynb")


@breaks("title")
def no_table(notebook, path):
    notebook.cells[0].source = "# 99 · A toy\n*Toy.*\n"


@breaks("title")
def no_study_time(notebook, path):
    title = notebook.cells[0]
    title.source = title.source.replace("| study time |", "|")


@breaks("objectives")
def vague_objective(notebook, path):
    notebook.cells[0].source += "\n4. understand everything."


@breaks("objectives")
def no_objectives(notebook, path):
    title = notebook.cells[0]
    title.source = title.source.split("## Objectives")[0]


@breaks("setup")
def no_versions(notebook, path):
    cell(notebook, "setup").source = "import ptlearn as pt"


@breaks("closing")
def no_summary(notebook, path):
    cell(notebook, "summary").source = "## Summary"


@breaks("closing")
def two_questions(notebook, path):
    text = cell(notebook, "self-check")
    text.source = text.source.replace("Answer", "Reply", 1)


@breaks("closing")
def no_sources(notebook, path):
    cell(notebook, "sources").source = "## Sources\n"


@breaks("claims_made")
def no_claims(notebook, path):
    for id_ in ("claim-embedded", "claim-any"):
        cell(notebook, id_).source = "1"


@breaks("exercises")
def two_exercises(notebook, path):
    cell(notebook, "ex2").metadata.tags = []


@breaks("exercises")
def nothing_practised(notebook, path):
    text = cell(notebook, "ex1-text")
    text.source = text.source.replace("*You practise", "*This is about")


@breaks("exercises")
def no_expected_output(notebook, path):
    text = cell(notebook, "ex1-text")
    text.source = text.source.split("Expected")[0]


@breaks("exercises")
def no_minutes(notebook, path):
    text = cell(notebook, "ex1-text")
    text.source = text.source.replace(", 1 minute)", ")")


@breaks("exercises")
def no_three_stars(notebook, path):
    text = cell(notebook, "ex3-text")
    text.source = text.source.replace("★★★", "★★☆")


@breaks("exercises")
def three_stars_with_steps(notebook, path):
    cell(notebook, "ex3-text").source += "\n1. Begin with seven."


@breaks("exercises")
def unexplained_solution(notebook, path):
    text = cell(notebook, "ex3-help")
    text.source = text.source.replace("Seven is not twice anything whole.", "")


@breaks("exercises")
def check_not_last(notebook, path):
    cell(notebook, "ex1").source += "\nprint(answer)"


@breaks("exercises")
def solution_in_the_stub(notebook, path):
    code = cell(notebook, "ex1")
    code.source = code.source.replace("...", "25")


@breaks("exercises")
def stub_passes(notebook, path):
    cell(notebook, "ex1").outputs[0].text = "Exercise 99.1: passes."


@breaks("exercises")
def no_hint(notebook, path):
    text = cell(notebook, "ex1-help")
    text.source = text.source.replace("Hint", "Tip")


@breaks("exercises")
def solution_further_down(notebook, path):
    place = notebook.cells.index(cell(notebook, "ex1-help"))
    notebook.cells.insert(place, new_markdown_cell("Have a try first."))


@breaks("exercises")
def no_solution(notebook, path):
    cell(notebook, "ex2-help").source = "<details><summary>Hint</summary></details>"


@breaks("predictions")
def one_prediction(notebook, path):
    cell(notebook, "guess1").metadata.tags = []


@breaks("predictions")
def prediction_filled_in(notebook, path):
    code = cell(notebook, "guess1")
    code.source = code.source.replace("...", "4")


@breaks("predictions")
def prediction_not_laid_beside(notebook, path):
    cell(notebook, "came2").source = "print(3 + 3)"


@breaks("wrong_answers")
def exercise_without_wrong_answers(notebook, path):
    code = cell(notebook, "ex1")
    code.source = code.source.replace("ex99_1", "ex99_4")


# --- every lesson runs with the tiny model and its solutions ------------------


@pytest.mark.lessons
@pytest.mark.parametrize("path", [*LESSONS, TOY], ids=name)
def test_lesson_runs_on_the_tiny_model_with_all_answers(path, tmp_path):
    """One run proves three things.

    The lesson runs, each wrong answer is refused, and each solution passes. The stubs'
    "not done yet" is in the stored outputs, see the rule `exercises`.
    """
    executed = run_with_answers(path, tmp_path)
    assert exercise_rules.not_refused(executed) == []
    assert failed_solutions(executed) == []


@pytest.mark.lessons
def test_wrong_solutions_and_checks_that_accept_or_hide_a_mistake_are_found(
    toy, tmp_path
):
    notebook, path = toy
    text = cell(notebook, "ex1-help")
    text.source = text.source.replace("5**2", "5 + 2")
    code = cell(notebook, "checks")
    code.source = code.source.replace("double(4), 8", "double(2), 4")
    code.source = code.source.replace("{odd} is not odd.", "Something is wrong.")
    nbformat.write(notebook, path)
    executed = run_with_answers(path, tmp_path)
    (failed,) = failed_solutions(executed)
    assert "not right yet. five squared: got 7." in failed
    faults = exercise_rules.not_refused(executed)
    assert [fault.split(": ")[:2] for fault in faults] == [
        ["ex99_2", "the square is right for 2 only"],
        ["ex99_2", "adds two"],
        ["ex99_3", "two"],
    ]


@pytest.mark.lessons
def test_a_lesson_that_fails_is_found(toy, tmp_path):
    notebook, path = toy
    notebook.cells.insert(0, new_code_cell("1 / 0"))
    nbformat.write(notebook, path)
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run_with_answers(path, tmp_path)


def run_with_answers(path, tmp_path):
    """Run the lesson on the tiny model, all exercises answered wrongly, then right.

    Its training runs are cut short: a random model has nothing to learn.
    """
    notebook = nbformat.read(path, as_version=4)
    exercise_rules.answer_wrongly(notebook, exercise_rules.read_wrong_answers(path))
    exercise_rules.solve(notebook)
    solved = tmp_path / "solved" / path.name
    shutil.copytree(path.parent, solved.parent, ignore=copy_no_notebooks)
    nbformat.write(notebook, solved)
    out = tmp_path / "out"
    out.mkdir()
    result = course.run_lesson(solved, {"MODEL": "tiny"} | few_steps(solved), out)
    assert result.error == ""
    return nbformat.read(out / path.name, as_version=4)


def few_steps(path) -> dict[str, int]:
    """The lesson's parameters that count training steps, at a third of their value."""
    counts = inspect_notebook(path).items()
    steps = {name: int(it["default"]) for name, it in counts if name.endswith("STEPS")}
    return {name: -(-count // 3) for name, count in steps.items()}


def failed_solutions(executed) -> list[str]:
    """What the failing checks of a run lesson's exercises printed."""
    said = [printed(code) for code in tagged(executed, "exercise")]
    return [text for text in said if not text.rstrip().endswith(": passes.")]


def copy_no_notebooks(folder, names):
    return [name for name in names if name.endswith(".ipynb")]
