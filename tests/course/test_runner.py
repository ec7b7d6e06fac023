"""The runner: what it writes, what it says, and how it fails."""

import multiprocessing
import shutil
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import lesson_workers
import nbformat
import pytest
from nbformat.v4 import new_code_cell

from ptlearn.course import runner as course

TOY = Path(__file__).parents[1] / "fixtures" / "99_toy.ipynb"


@pytest.fixture
def folder(tmp_path):
    """A folder of lessons of its own, with the toy lesson in it."""
    return Path(shutil.copytree(TOY.parent, tmp_path / "notebooks"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two lessons run at once, the first of which fails; (results, out folder)."""
    folder = tmp_path_factory.mktemp("notebooks")
    shutil.copytree(TOY.parent, folder, dirs_exist_ok=True)
    add_code(folder / TOY.name, "raise KeyError('lost')", folder / "98_fails.ipynb")
    out = folder / "out"
    return course.run_lessons(model="tiny", out=out, folder=folder, jobs=2), out


def add_code(path, source, target=None):
    """Put a cell before all others of the lesson."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, new_code_cell(source))
    nbformat.write(notebook, target or path)


@pytest.mark.lessons
def test_a_failing_lesson_does_not_stop_the_next(run):
    (failed, good), _ = run
    assert (failed.lesson, good.lesson) == ("98_fails", "99_toy")
    assert good.error == ""
    assert "In [" in failed.error
    assert "KeyError: 'lost'" in failed.error
    assert "raise KeyError('lost')" in failed.error


@pytest.mark.lessons
def test_claims_are_counted(run):
    (failed, good), _ = run
    # On the tiny model the claim about the embedded one does not hold.
    assert (good.held, good.claims) == (1, 2)
    assert (failed.held, failed.claims) == (0, 0)


@pytest.mark.lessons
def test_the_model_is_passed_on(run):
    _, out = run
    executed = nbformat.read(out / "99_toy.ipynb", as_version=4)
    assert any('MODEL = "tiny"' in cell.source for cell in executed.cells)


@pytest.mark.lessons
def test_an_executed_copy_says_how_long_it_took(run):
    """The pages tell it: a failed lesson has one, too."""
    _, out = run
    for name in ("98_fails", "99_toy"):
        executed = nbformat.read(out / f"{name}.ipynb", as_version=4)
        assert executed.metadata["papermill"]["duration"] > 0
        assert executed.metadata["papermill"]["parameters"] == {"MODEL": "tiny"}


@pytest.mark.lessons
def test_a_dead_kernel_is_a_failed_lesson(folder, tmp_path):
    add_code(folder / TOY.name, "import os\nos._exit(1)")
    (result,) = course.run_lessons(out=tmp_path / "out", folder=folder)
    assert "Kernel died" in result.error


@pytest.mark.parametrize(
    ("cores", "gigabytes", "jobs"), [(8, 9, 2), (2, 64, 2), (4, 3, 1)]
)
def test_each_lesson_at_once_has_a_core_and_its_memory(
    monkeypatch, cores, gigabytes, jobs
):
    memory = SimpleNamespace(available=gigabytes * 10**9)
    monkeypatch.setattr("torch.get_num_threads", lambda: cores)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    assert course.fitting_jobs("cpu") == jobs
    assert course.fitting_jobs("meta") == 1, "the memory of a GPU is not counted"


@pytest.mark.slow
def test_a_process_that_dies_is_told_with_its_remedy(folder, tmp_path, monkeypatch):
    shutil.copy(folder / TOY.name, folder / "98_other.ipynb")
    monkeypatch.setattr(course, "run_lesson", lesson_workers.die)
    with pytest.raises(course.CourseError, match="lack of memory.*JOBS=1"):
        course.run_lessons(out=tmp_path / "out", folder=folder, jobs=2)


@pytest.mark.slow
def test_ctrl_c_ends_all_lessons_at_once(folder, tmp_path, monkeypatch):
    shutil.copy(folder / TOY.name, folder / "98_other.ipynb")
    monkeypatch.setattr(course, "run_lesson", lesson_workers.never_end)
    main = threading.main_thread().ident
    threading.Timer(4, signal.pthread_kill, [main, signal.SIGINT]).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        course.run_lessons(out=tmp_path / "out", folder=folder, jobs=2)
    assert time.monotonic() - began < 60
    assert multiprocessing.active_children() == []


def test_a_lesson_says_how_long_it_takes(tmp_path):
    path = tmp_path / "98_slow.ipynb"
    path.write_text(TOY.read_text())
    assert course.stated_minutes(path) == 1
    path.write_text(TOY.read_text().replace("| 1 |", "| 12 |"))
    assert course.stated_minutes(path) == 12
    path.write_text("{}")
    assert course.stated_minutes(path) == 0


def test_an_unknown_parameter_is_refused_before_anything_runs(folder, tmp_path):
    path = folder / TOY.name
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("DEVICE", "PLACE")
    nbformat.write(notebook, path)
    out = tmp_path / "out"
    with pytest.raises(course.CourseError, match="no parameter DEVICE.*PLACE"):
        course.run_lessons(device="cuda", out=out, folder=folder)
    assert not out.exists()


def test_an_unknown_lesson_names_those_there_are(folder):
    with pytest.raises(course.CourseError, match="begins with '42'.*99_toy"):
        course.find_lessons("42", folder)


def test_without_a_clone_the_course_says_so(tmp_path):
    with pytest.raises(course.CourseError, match="clone"):
        course.find_lessons(folder=tmp_path)


def test_the_table_names_failed_lessons():
    results = [
        course.Result("00_start_here", 1.25, 3, 3),
        course.Result("01_discrete_prompts", 2.0, 4, 5, "cell 7 raised KeyError"),
    ]
    assert course.table(results).splitlines() == [
        "lesson               minutes  claims held",
        "00_start_here            1.2    3 of 3",
        "01_discrete_prompts      2.0    4 of 5  FAILED",
        "all                      3.2",
    ]
