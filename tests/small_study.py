"""A study of seconds on the tiny model, and rows that are made without any model."""

import os
import signal
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, replace

from ptlearn.studies.job import Job
from ptlearn.studies.run import run_job
from ptlearn.studies.scheduler import run_study
from ptlearn.studies.store import read_folder
from ptlearn.studies.study import Arm, Study

BASE = Job(
    "official_language",
    "[V:1] {subject} [V:1] {answer}",
    model="tiny",
    steps=12,
    evaluate_every=6,
    dev_rows=6,
    test_rows=8,
)
STUDY = Study(
    "small",
    "Does the machinery work?",
    (
        Arm("bare", BASE),
        Arm("LSTM", replace(BASE, encoder="lstm"), lrs=(0.01,)),
        Arm("wording", replace(BASE, template="{subject}: {answer}")),
    ),
    lrs=(0.01, 0.1),
    seeds=(0, 1),
)

# What two runs of one job may differ in.
BESIDE = ("seconds", "training_seconds", "seconds_at", "study", "arm")


def made_up(job: Job, threads: int = 1) -> dict:
    """A row as ``run_job`` gives it, with a dev score that prefers a rate of 0.1."""
    right = {None: 1, 0.1: 4, 1.0: 3}.get(job.lr, 2) + job.seed % 2
    return {
        "key": job.key,
        **asdict(job),
        "score": right / 8,
        "dev_score": None if job.lr == 1.0 else right / 8,
        "error": "diverged" if job.lr == 1.0 else "",
        "first_losses": [5.0 - i / 10 for i in range(10)] if job.lr else [],
        "dev_curve": [[6, right / 16], [12, right / 8]],
        "test_hits": "1" * right + "0" * (8 - right),
        "test_correct": "1" * 8,
        "code": "0",
        "seconds": 2.0,
        "threads": threads,
    }


class MadeUpRows(Executor):
    """Gives made-up rows at once, and notes the jobs."""

    def __init__(self, row=made_up):
        self.row, self.ran = row, []

    def submit(self, _, job, threads):
        self.ran.append(job)
        future = Future()
        try:
            future.set_result(self.row(job, threads))
        except Exception as error:
            future.set_exception(error)
        return future


class KilledAt(ThreadPoolExecutor):
    """Kills its own process as the job after `n` whole rows begins."""

    def __init__(self, n, path, row=run_job):
        super().__init__(1)
        self.n, self.path, self.row, self.started = n, path, row, 0

    def submit(self, _, job, threads):
        return super().submit(self.start, job, threads)

    def start(self, job, threads):
        # The rows of the jobs before this one must be in the file.
        while self.started and count_lines(self.path) < self.started:
            time.sleep(0.001)
        if self.started == self.n:
            os.kill(os.getpid(), signal.SIGKILL)
        self.started += 1
        return self.row(job, threads)


class LosesAWorker(Executor):
    """Hands jobs on to a cluster; the worker of one of them kills itself, once."""

    def __init__(self, cluster, marker, number=2):
        self.cluster, self.marker, self.submitted = cluster, marker, 0
        self.number = number

    def submit(self, run_job, job, threads):
        marker, self.submitted = self.marker, self.submitted + 1
        doomed = self.submitted == self.number

        def run_or_die(job, threads):
            if doomed and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return run_job(job, threads)

        return self.cluster.submit(run_or_die, job, threads)


def count_lines(path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def run(study, folder, executor=None):
    """Run a study here, one job at a time."""
    with executor or ThreadPoolExecutor(1) as executor:
        return run_study(study, folder=folder, executor=executor, progress=False)


def assert_same_rows(folder, other) -> None:
    """Every number of every row, bit for bit."""
    found, wanted = read_folder(folder), read_folder(other)
    assert set(found) == set(wanted)
    unlike = [
        (row["arm"], row["lr"], row["seed"], name, value, wanted[key].get(name))
        for key, row in found.items()
        for name, value in row.items()
        if name not in BESIDE and value != wanted[key].get(name)
    ]
    assert not unlike
