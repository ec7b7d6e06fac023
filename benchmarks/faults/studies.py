"""A study that is killed, or loses a worker of its cluster, has the same rows."""

import random
from collections.abc import Iterator
from pathlib import Path

from killing import killed_at_line, places
from small_study import STUDY, LosesAWorker, MadeUpRows, assert_same_rows, run

from ptlearn import files
from ptlearn.studies import executors, scheduler, store
from ptlearn.studies.run import run_job
from ptlearn.studies.store import read_rows

from .counts import NOT_THE_END, STUDY_KILLS
from .outcome import Outcome, one

OURS = {module.__file__ for module in (executors, files, scheduler, store)}
FILE = f"{STUDY.name}.jsonl"


def here() -> MadeUpRows:
    """Return an executor that does true runs at once, in this process."""
    return MadeUpRows(run_job)


def trial(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Kill the study at an even spread of lines; go on; compare the rows."""
    whole = folder / "whole"
    lines = len(places(lambda: run(STUDY, whole, here()), OURS))
    for number in numbers:
        place = folder / str(number)
        spread = (number + random.Random(number).random()) / STUDY_KILLS
        line = int(spread * NOT_THE_END * lines)

        def work(place=place):
            run(STUDY, place, here())

        if not killed_at_line(work, OURS, line):
            yield one(fell=f"number {number} was not killed")
            continue
        path = place / FILE
        before = path.read_bytes() if path.exists() else b""
        run(STUDY, place, here())
        yield compared(place, whole, before, f"killed before line {line}")


def compared(place: Path, whole: Path, before: bytes, when: str) -> Outcome:
    """Say whether a folder has the whole study's rows, each once, old ones first."""
    path = place / FILE
    keys = [row["key"] for row in read_rows(path)]
    kept = before[: before.rfind(b"\n") + 1]
    if len(keys) != len(set(keys)) or len(keys) != STUDY.size():
        return one(fell=f"{when}: {len(keys)} rows, {len(set(keys))} of them different")
    if not path.read_bytes().startswith(kept):
        return one(fell=f"{when}: rows that were written before are gone")
    try:
        assert_same_rows(place, whole)
    except AssertionError as error:
        return one(fell=f"{when}: {str(error)[:300]}")
    return one("the same rows")


def dask_trial(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Kill the worker of each job in turn."""
    from dask.distributed import Client, LocalCluster

    whole = folder / "whole"
    run(STUDY, whole, here())
    for number in numbers:
        place, marker = folder / str(number), folder / f"{number} lost a worker"
        with (
            LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
            ) as cluster,
            Client(cluster) as client,
        ):
            executor = client.get_executor(pure=False, retries=2)
            run(STUDY, place, LosesAWorker(executor, marker, number + 1))
        if marker.exists():
            yield compared(place, whole, b"", f"the worker of job {number + 1} killed")
        else:
            yield one(fell=f"no worker was killed at job {number + 1}")
