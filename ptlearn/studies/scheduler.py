"""Running a study: its jobs go to an executor, their rows to a file as they come.

A study that was killed goes on where it stopped. Two studies that share a run share
its row.
"""

from collections.abc import Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    ProcessPoolExecutor,
    wait,
)
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from tqdm.auto import tqdm

from ..errors import StudyError
from .run import run_job
from .store import (
    append_row,
    default_folder,
    drop_torn_line,
    only_writer,
    read_folder,
    save_table,
)
from .study import Run, Study, num_done, results

if TYPE_CHECKING:
    from .staged import StagedStudy

CONNECT_SECONDS = 30


def run_study(
    study: "Study | StagedStudy",
    *,
    folder: str | Path | None = None,
    executor: Executor | None = None,
    workers: int = 2,
    threads: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """Run what a study still lacks.

    Parameters
    ----------
    study : Study or StagedStudy
        Of a staged study without a frozen plan only the rates are searched.
    folder : path, optional
        Holds ``NAME.jsonl``, to which each row is added as it comes. Rows that other
        studies left there are used too. None: ``data/results`` of the repository, or
        else ``results`` in the working directory.
    executor : concurrent.futures.Executor, optional
        Where the jobs run: for instance ``dask.distributed.Client(...).get_executor()``
        for a cluster. None: ``workers`` new processes here.
    workers : int
        Processes side by side, where no executor is given.
    threads : int
        Threads of each job.
    progress : bool
        Show a bar with the last score.

    Returns
    -------
    DataFrame
        As :func:`results`.

    Raises
    ------
    StudyError
        If a worker died, if another process is running the same study, or if a file
        of rows is damaged. Rows that are done stay: the same call goes on from them.
    """
    folder = Path(folder) if folder is not None else default_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path, study = folder / f"{study.name}.jsonl", study.in_folder(folder)
    own_pool = executor is None
    with (
        only_writer(path),
        _pool(workers) if own_pool else nullcontext(executor) as pool,
    ):
        drop_torn_line(path)
        rows = read_folder(folder)
        missing = study.size() - num_done(study, rows)
        with tqdm(total=missing, desc=study.name, disable=not progress) as bar:
            for run, row in _finished(study, rows, pool, threads):
                arm, table = run.arm.name, row.pop("table", None)
                if run.final and table is not None:
                    save_table(folder, row["key"], table)
                about = {"study": study.name, "arm": arm} | study.about(run)
                append_row(path, about | row)
                bar.set_postfix_str(f"{arm}: {_shown(row)}")
                bar.update()
    return results(study, folder)


def dask_executor(address: str) -> Executor:
    """Return an executor whose jobs run on the workers of a Dask cluster.

    Each worker needs ptlearn, and the language model in its cache. A job whose worker
    was lost is done again by another one.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    StudyError
        If Dask is not installed, or nothing answers at the address.
    """
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise StudyError(
            "a cluster needs Dask: pip install 'dask[distributed]'"
        ) from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise StudyError(
            f"no Dask scheduler answers at {address!r} ({error}). Start one with `dask "
            "scheduler`, and workers with `dask worker ADDRESS`"
        ) from error
    # Not pure: Dask would take a job that failed for one that is done.
    return client.get_executor(pure=False, retries=2)


def _finished(
    study: "Study | StagedStudy", rows: dict[str, dict], pool: Executor, threads: int
) -> Iterator[tuple[Run, dict]]:
    """Submit jobs as they become known; yield (run, row) as they end."""
    pending = {}
    try:
        while True:
            waiting = {run.job.key for run in pending.values()}
            for run in study.runs(rows):
                key = run.job.key
                if key not in rows and key not in waiting:
                    pending[pool.submit(run_job, run.job, threads)] = run
                    waiting.add(key)
            if not pending:
                return
            done = wait(pending, return_when=FIRST_COMPLETED).done
            # Whole rows first, or an error beside them would lose them.
            for future in sorted(done, key=lambda f: f.exception() is not None):
                run = pending.pop(future)
                rows[run.job.key] = future.result()
                yield run, rows[run.job.key]
    except BrokenExecutor as error:
        raise StudyError(
            f"a worker process died while study {study.name!r} ran, often for lack of "
            "memory. The rows so far are kept: run it again, perhaps with workers=1"
        ) from error
    finally:
        for future in pending:
            future.cancel()


def _pool(workers: int) -> ProcessPoolExecutor:
    # Spawned: a forked copy of a process with threads, as torch has, can hang.
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def _shown(row: dict) -> str:
    if row["error"]:
        return "failed"
    score = row["dev_score"] if row["score"] is None else row["score"]
    return f"{score:.3f}"
