"""``ptlearn study``: run, plan, list and verify."""

import subprocess
import sys

import pytest
from small_study import MadeUpRows, run
from small_traces import MadeUpTraces
from small_traces import run as run_why
from typer.testing import CliRunner

from ptlearn.cli.app import app
from ptlearn.errors import StudyError
from ptlearn.mechanisms.catalogue import load_experiment
from ptlearn.studies.catalogue import load_study
from ptlearn.studies.job import Job
from ptlearn.studies.run import run_job
from ptlearn.studies.store import append_row

STUDY = load_study("shared_rate").on_model("tiny")


def shell(*words):
    return CliRunner().invoke(app, ["study", *map(str, words)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Made-up rows of a whole study of the course, on the tiny model."""
    folder = tmp_path_factory.mktemp("rows")
    run(STUDY, folder, MadeUpRows())
    return folder


def test_list_says_what_is_done(folder):
    found = shell("list", "--model", "tiny", "--results", folder)
    assert found.exit_code == 0, found.output
    lines = {line.split()[0]: line for line in found.output.splitlines()}
    assert "20 of   20 runs  second tier" in lines["shared_rate"]
    assert "0 of   92 runs  first tier" in lines["wording"]


@pytest.mark.slow
def test_plan_times_a_few_steps_and_runs_nothing(tmp_path):
    found = shell("plan", STUDY.name, "--model", "tiny", "--results", tmp_path)
    assert found.exit_code == 0, found.output
    assert "20 runs to do" in found.output and "timed now" in found.output
    assert not list(tmp_path.iterdir())


def test_plan_takes_the_seconds_of_stored_rows(folder, tmp_path):
    path = folder / f"{STUDY.name}.jsonl"
    first = path.read_text().splitlines(keepends=True)[:1]
    (tmp_path / path.name).write_text("".join(first))
    found = shell("plan", STUDY.name, "--model", "tiny", "--results", tmp_path)
    assert "19 runs to do" in found.output and "stored rows" in found.output


def test_run_shows_a_finished_study(folder):
    found = shell("run", STUDY.name, "--model", "tiny", "--results", folder)
    assert found.exit_code == 0, found.output
    assert "residual LSTM, words" in found.output and "mean" in found.output


def test_no_study_is_run_if_one_of_them_is_unknown(tmp_path):
    found = shell("run", STUDY.name, "smal", "--results", tmp_path)
    assert isinstance(found.exception, StudyError)
    assert "no study is called 'smal'; there are: wording" in str(found.exception)
    assert not list(tmp_path.iterdir())


def test_verify_passes_a_true_row_and_fails_a_false_one(tmp_path):
    row = run_job(Job("official_language", "{answer}", control="majority"))
    (tmp_path / "true").mkdir()
    append_row(tmp_path / "true" / "rows.jsonl", row)
    found = shell("verify", "--results", tmp_path / "true")
    assert found.exit_code == 0 and found.output.startswith("[OK]"), found.output
    (tmp_path / "false").mkdir()
    append_row(tmp_path / "false" / "rows.jsonl", row | {"score": row["score"] + 0.5})
    found = shell("verify", 3, "--results", tmp_path / "false")
    assert found.exit_code == 1 and found.output.startswith("[FAIL]"), found.output


def test_why_goes_on_with_the_experiments_that_lack_rows(tmp_path):
    rows = tmp_path / "why"
    run_why(load_experiment("surface").on_model("tiny"), rows, MadeUpTraces())
    found = shell("why", "surface", "--model", "tiny", "--results", rows)
    assert found.exit_code == 0, found.output
    assert "in one basin" in found.output and "residual MLP, two seeds" in found.output
    found = shell("why", "surfac", "--results", rows)
    assert "no experiment is called 'surfac'" in str(found.exception)


def test_relatives_plan_says_what_is_left_and_runs_nothing(tmp_path):
    found = shell("relatives", "--plan", "--results", tmp_path)
    assert found.exit_code == 0, found.output
    assert "full fine-tuning search" in found.output
    assert "Left: 32 rows: 148 runs" in found.output
    assert not list(tmp_path.iterdir())


def test_relatives_begins_nothing_that_cannot_end_in_time(tmp_path):
    rows = tmp_path / "relatives"
    found = shell("relatives", "--minutes", 0, "--model", "tiny", "--results", rows)
    assert found.exit_code == 0, found.output
    assert "LoRA" in found.output
    assert not (rows / "trials.jsonl").exists()


def test_study_without_words_says_what_there_is():
    for words in ([], ["run"], ["plan"]):
        assert shell(*words).exit_code == 2
        assert "Usage:" in shell(*words).output


def test_help_does_not_wait_for_torch():
    code = """
import sys
from typer.testing import CliRunner
from ptlearn.cli.app import app
for words in ([], ["run"], ["plan"], ["list"], ["verify"], ["why"], ["relatives"]):
    assert CliRunner().invoke(app, ["study", *words, "--help"]).exit_code == 0
print("torch" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout == "False\n", found.stderr
