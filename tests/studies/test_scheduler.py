"""Running a study: no row is lost or done twice, wherever it is killed."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest
from small_study import (
    BASE,
    STUDY,
    LosesAWorker,
    MadeUpRows,
    assert_same_rows,
    made_up,
    run,
)

from ptlearn.errors import StudyError
from ptlearn.studies.executors import dask_executor
from ptlearn.studies.scheduler import run_study
from ptlearn.studies.store import read_rows
from ptlearn.studies.study import Arm

PROGRAM = Path(__file__).parents[1] / "programs" / "study_run.py"


# Which jobs run


def test_the_first_seed_tries_every_rate_and_the_others_the_chosen_one(tmp_path):
    study = replace(STUDY, arms=STUDY.arms[:1], seeds=(0, 1, 2))
    rows = MadeUpRows()
    frame = run(study, tmp_path, rows)
    ran = [(job.lr, job.seed) for job in rows.ran]
    assert ran == [(0.01, 0), (0.1, 0), (0.1, 1), (0.1, 2)]
    assert frame["final"].tolist() == [False, True, True, True]


def test_two_studies_share_a_row(tmp_path):
    run(STUDY, tmp_path, MadeUpRows())
    other, rows = replace(STUDY, name="other", arms=(Arm("else", BASE),)), MadeUpRows()
    frame = run(other, tmp_path, rows)
    assert not rows.ran and len(frame) == 3
    assert not (tmp_path / "other.jsonl").exists()


def test_two_arms_with_the_same_job_run_it_once(tmp_path):
    study, rows = replace(STUDY, arms=(Arm("a", BASE), Arm("b", BASE))), MadeUpRows()
    frame = run(study, tmp_path, rows)
    assert len(rows.ran) == 3 and len(frame) == 6


def test_a_second_call_runs_nothing(tmp_path):
    first, rows = run(STUDY, tmp_path, MadeUpRows()), MadeUpRows()
    assert run(STUDY, tmp_path, rows).equals(first) and not rows.ran


def test_one_study_is_not_run_twice_at_a_time(tmp_path):
    refused = []

    def row(job, threads):
        with pytest.raises(StudyError, match="another process is writing"):
            run(STUDY, tmp_path, MadeUpRows())
        refused.append(job)
        return made_up(job)

    run(STUDY, tmp_path, MadeUpRows(row))
    assert len(refused) == 6


# What goes wrong


def test_a_run_whose_row_was_cut_off_is_done_again(tmp_path):
    study = replace(STUDY, arms=(Arm("größer", BASE), *STUDY.arms[1:]))
    run(study, tmp_path, MadeUpRows())
    path = tmp_path / "small.jsonl"
    data = path.read_bytes()
    inside_a_character = data.rindex("ö".encode()) + 1
    for cut in (inside_a_character, len(data) - 300, len(data) - 1):
        path.write_bytes(data[:cut])
        before, rows = read_rows(path), MadeUpRows()
        run(study, tmp_path, rows)
        assert len(rows.ran) == STUDY.size() - len(before) >= 1
        assert sorted(path.read_bytes()) == sorted(data)


@pytest.mark.slow
def test_a_killed_study_goes_on_without_a_row_done_twice(true_folder, tmp_path):
    """Killed as each of its jobs begins, in turn; and once with true rows."""
    program = subprocess.run(
        [sys.executable, PROGRAM, tmp_path],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert program.returncode == -signal.SIGKILL, program.stderr
    for n in range(STUDY.size()):
        rows = MadeUpRows()
        goes_on(tmp_path / str(n), n, rows)
        assert len(rows.ran) == STUDY.size() - n
    goes_on(tmp_path / "true", 2)
    assert_same_rows(tmp_path / "true", true_folder)


def goes_on(folder, n, executor=None) -> None:
    path = folder / "small.jsonl"
    before = path.read_bytes() if n else b""
    assert before.count(b"\n") == n and (before.endswith(b"\n") or not n)
    run(STUDY, folder, executor)
    assert path.read_bytes().startswith(before)
    keys = [row["key"] for row in read_rows(path)]
    assert len(keys) == len(set(keys)) == STUDY.size()


def test_an_error_in_a_job_keeps_the_rows_beside_it(tmp_path):
    def fails_at_the_lstm(job, threads):
        if job.encoder == "lstm":
            raise ZeroDivisionError("a bug")
        return made_up(job)

    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(STUDY, tmp_path, MadeUpRows(fails_at_the_lstm))
    arms = [row["arm"] for row in read_rows(tmp_path / "small.jsonl")]
    assert sorted(arms) == ["bare", "bare", "wording"]


class DyingPool(ProcessPoolExecutor):
    """A pool whose processes end in the middle of a job."""

    def submit(self, *_):
        return super().submit(os._exit, 1)


def test_a_worker_that_dies_is_named(tmp_path):
    pool = DyingPool(1, mp_context=get_context("spawn"))
    with pytest.raises(StudyError, match="a worker process died.*run it again"):
        run(STUDY, tmp_path, pool)


# Where jobs run


@pytest.mark.slow
def test_a_process_pool_gives_the_same_rows(true_folder, tmp_path):
    run_study(STUDY, folder=tmp_path, workers=2, progress=False)
    assert_same_rows(tmp_path, true_folder)


@pytest.mark.slow
def test_the_command_runs_a_study_on_a_cluster(true_folder, tmp_path, monkeypatch):
    """``ptlearn study run NAME --scheduler ADDRESS``; one of two workers is killed."""
    from dask.distributed import LocalCluster
    from typer.testing import CliRunner

    from ptlearn.cli.app import app
    from ptlearn.studies import catalogue, executors

    marker, connect = tmp_path / "one worker was lost", executors.dask_executor
    monkeypatch.setattr(catalogue, "course_studies", lambda: {"small": STUDY})
    monkeypatch.setattr(
        executors,
        "dask_executor",
        lambda address: LosesAWorker(connect(address), marker),
    )
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        words = ["study", "run", "small", "--scheduler", cluster.scheduler_address]
        found = CliRunner().invoke(app, [*words, "--results", str(tmp_path)])
    assert found.exit_code == 0, found.output
    assert marker.exists()
    assert_same_rows(tmp_path, true_folder)
    keys = [row["key"] for row in read_rows(tmp_path / "small.jsonl")]
    assert len(keys) == len(set(keys)), "a row was done twice"


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr("ptlearn.studies.executors.CONNECT_SECONDS", 0.2)
    with pytest.raises(StudyError, match="no Dask scheduler answers at 'tcp://127"):
        dask_executor("tcp://127.0.0.1:9")
