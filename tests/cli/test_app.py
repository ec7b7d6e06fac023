"""The command line: help, exit codes, and errors on one clean line."""

import errno
import os
import subprocess
import sys

import pytest

from ptlearn.cli.app import main

COMMANDS = [
    "fetch",
    "doctor",
    "course",
    "slides",
    "refresh",
    "train",
    "predict",
    "serve",
    "study",
]


def test_python_m_ptlearn_shows_every_command():
    shown = subprocess.run(
        [sys.executable, "-m", "ptlearn", "--help"], capture_output=True, text=True
    )
    assert shown.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command} " in shown.stdout


def test_help_waits_for_nothing_heavy():
    code = f"""
import sys
from ptlearn.cli.app import main
for command in {COMMANDS}:
    try:
        main([command, "--help"])
    except SystemExit as end:
        assert end.code == 0
heavy = {{"torch", "transformers", "datasets", "pandas", "sklearn", "papermill"}}
print("loaded:", heavy & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["loaded: set()"], done.stderr


def test_version(shell):
    assert shell("--version").out.startswith("ptlearn 0.")


def test_an_unknown_command_is_refused(refused):
    assert "No such command" in refused("fry", code=2)


def test_an_error_of_ours_is_one_clean_line(refused):
    message = refused("course", "--lesson", "no-such-lesson")
    assert "No lesson begins with 'no-such-lesson'" in message
    assert message.count("\n") == 1


def test_any_other_error_is_a_bug_and_keeps_its_traceback(monkeypatch):
    from ptlearn.course import doctor

    def broken():
        raise KeyError("a bug")

    monkeypatch.setattr(doctor, "doctor", broken)
    with pytest.raises(KeyError):
        main(["doctor"])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_cannot_be_written_is_no_bug(refused, monkeypatch, number):
    from ptlearn.course import runner

    def full(*args, **options):
        raise OSError(number, os.strerror(number), "build/course")

    monkeypatch.setattr(runner, "run_lessons", full)
    said = refused("course", "--lesson", "00", "--no-pages")
    assert said == f"Error: build/course: {os.strerror(number)}.\n"
