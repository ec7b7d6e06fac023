"""The experiments on what an encoder does: their arms, running them, their tables."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import Executor, Future
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from small_traces import BARE, EXPERIMENT, run

from ptlearn.errors import StudyError
from ptlearn.mechanisms.catalogue import SEEDS, experiments, load_experiment
from ptlearn.mechanisms.run import (
    experiment_results,
    run_experiment,
)
from ptlearn.mechanisms.tables import (
    barrier_summary,
    coupling_maps,
    mechanism_summary,
)
from ptlearn.studies.executors import process_pool
from ptlearn.studies.store import load_table, read_rows

pytestmark = pytest.mark.slow

MOST_STEPS = 25_000


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The small experiment, really run on the tiny model."""
    folder = tmp_path_factory.mktemp("why")
    run(EXPERIMENT, folder)
    return folder


class NothingMayRun(Executor):
    def submit(self, *args):
        raise AssertionError("a trace that has a row is run again")


def test_the_courses_experiments_have_seeds_and_fit_the_budget():
    traces = {}
    for name, experiment in experiments().items():
        assert experiment.name == name and experiment.question.endswith("?")
        assert len(experiment.seeds) >= 3
        arms = [arm for arm, _ in experiment.arms]
        assert len(set(arms)) == len(arms)
        traces |= {trace.key: trace for _, trace in experiment.traces()}
    assert sum(trace.steps for trace in traces.values()) <= MOST_STEPS
    # One number must not draw two things alike.
    assert len({seed for seeds in SEEDS for seed in seeds}) == 3 * len(SEEDS)


def test_an_unknown_experiment_is_refused_with_the_names_there_are():
    with pytest.raises(StudyError, match="there are: step_or_direction, coupling"):
        load_experiment("why")


def test_lines_are_within_arms_and_across_them_from_one_seed():
    between = [arm for arm, _, _ in EXPERIMENT.between()]
    assert between.count("bare, its way") == 2
    assert between.count("bare, two seeds") == 1
    assert between.count("bare to MLP") == 2
    assert len(between) == 6 + 3 + 6


def test_all_is_run_once_and_stored(folder):
    frame = run_experiment(EXPERIMENT, folder, NothingMayRun(), progress=False)
    assert frame["kind"].tolist() == ["trace"] * 6 + ["line"] * 15
    assert (frame["error"] == "").all()
    rows = read_rows(folder / "small.jsonl")
    assert len(rows) == 21 and not any("tables" in row for row in rows)
    for key in frame.loc[frame["kind"] == "trace", "key"]:
        lengths = frame.set_index("key").loc[key, "end_lengths"]
        table = load_table(folder, key)
        assert table.norm(dim=1).tolist() == pytest.approx(lengths, rel=1e-5)


def test_a_row_is_shared_between_experiments(folder, tmp_path):
    other = replace(EXPERIMENT, name="other", arms=(("the bare one", BARE),))
    frame = run_experiment(other, folder, NothingMayRun(), progress=False)
    assert frame["arm"].tolist()[:2] == ["the bare one"] * 2
    assert (frame["experiment"] == "other").all()
    with pytest.raises(AssertionError, match="run again"):
        run_experiment(other, tmp_path, NothingMayRun(), progress=False)


KILLED = """
import os, signal, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from small_traces import EXPERIMENT, run

folder, left = Path(sys.argv[1]), int(sys.argv[2])


class Killed(ThreadPoolExecutor):
    def submit(self, task, *arguments):
        return super().submit(self.start, task, arguments)

    def start(self, task, arguments):
        global left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return task(*arguments)


run(EXPERIMENT, folder, Killed(1))
"""


def test_killed_and_gone_on_gives_the_same_rows(folder, tmp_path, done=4):
    tests = os.path.dirname(os.path.dirname(__file__))
    paths = os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path, str(done)],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    written = read_rows(tmp_path / "small.jsonl")
    assert len(written) in (done - 1, done)
    # The kill may fall into the writing of a line.
    with open(tmp_path / "small.jsonl", "a") as file:
        file.write('{"key": "torn')
    run(EXPERIMENT, tmp_path)
    assert comparable(tmp_path) == comparable(folder)


def comparable(folder) -> dict:
    """The rows by key, without their seconds; and the bytes of their tables."""
    rows = {
        row["key"]: json.dumps(row | {"seconds": 0})
        for row in read_rows(folder / "small.jsonl")
    }
    tables = {path.name: path.read_bytes() for path in (folder / "tables").iterdir()}
    return rows | tables


def test_a_trace_that_failed_stays_and_has_no_lines(tmp_path):
    failing = replace(BARE, move=1e38)
    broken = replace(
        EXPERIMENT, arms=(("bare", BARE), ("hot", failing)), seeds=SEEDS[:1]
    )
    frame = run(broken, tmp_path)
    assert frame["arm"].tolist() == ["bare", "hot", "bare, its way"]
    table = mechanism_summary(frame)
    assert table["failed"].to_dict() == {"bare": 0, "hot": 1}
    assert np.isnan(table.loc["hot", "dev_loss"])
    assert list(coupling_maps(frame)) == ["bare"]


def test_new_processes_give_the_same_rows(folder, tmp_path):
    with process_pool(2) as pool:
        run_experiment(EXPERIMENT, tmp_path, pool, progress=False)
    assert comparable(tmp_path) == comparable(folder)


def test_a_worker_that_dies_is_told(tmp_path):
    class Dies(Executor):
        def submit(self, *args):
            from concurrent.futures.process import BrokenProcessPool

            future = Future()
            future.set_exception(BrokenProcessPool("died"))
            return future

    with pytest.raises(StudyError, match="a worker process died"):
        run_experiment(EXPERIMENT, tmp_path, Dies(), progress=False)


def test_the_summary_is_the_mean_over_seeds(folder):
    frame = experiment_results(EXPERIMENT, folder)
    table = mechanism_summary(frame)
    assert table.index.tolist() == ["bare", "MLP", "MLP, bare from 3"]
    bare = frame[(frame["kind"] == "trace") & (frame["arm"] == "bare")]
    losses = [curve[-1][1] for curve in bare["dev_losses"]]
    line = table.loc["bare"]
    assert line["dev_loss"] == pytest.approx(np.mean(losses))
    assert line["low"] <= line["dev_loss"] <= line["high"]
    assert line["runs"] == 2 and "at_start" in table and "at_20" not in table
    assert line["multiplier"] == pytest.approx(1, abs=0.5)
    assert table.loc["MLP", "multiplier"] > 2 * line["multiplier"]


def test_barriers_by_what_the_line_is_between(folder):
    table = barrier_summary(experiment_results(EXPERIMENT, folder))
    assert table.loc["bare to MLP", "lines"] == 2
    assert (table["lowest"] >= 0).all()
    assert (table["lowest"] <= table["barrier"]).all()
    assert (table["barrier"] <= table["highest"]).all()


def test_maps_of_coupling(folder):
    maps = coupling_maps(experiment_results(EXPERIMENT, folder))
    assert list(maps) == ["bare", "MLP", "MLP, bare from 3"]
    for cosines in (of[1] for of in maps.values()):
        assert torch.tensor(cosines).diagonal().tolist() == pytest.approx(
            [1] * len(cosines)
        )
        assert np.abs(cosines).max() <= 1 + 1e-9


def test_without_rows_the_tables_are_empty(tmp_path):
    frame = experiment_results(EXPERIMENT, tmp_path)
    assert isinstance(frame, pd.DataFrame) and frame.empty
    for summary in (mechanism_summary, barrier_summary):
        assert summary(frame).empty
