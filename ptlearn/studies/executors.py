"""Where runs are done: processes here, or a cluster; and their results as they end."""

from collections.abc import Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from multiprocessing import get_context
from typing import TypeVar

from ..errors import StudyError

CONNECT_SECONDS = 30
"""So long a scheduler may take to answer."""
T = TypeVar("T")


def process_pool(workers: int, tasks_each: int | None = None) -> ProcessPoolExecutor:
    """Return an executor of so many new processes on this machine.

    Parameters
    ----------
    workers : int
    tasks_each : int, optional
        After so many tasks a process ends and a fresh one takes its place. None: never.
    """
    # Spawned: a forked copy of a process with threads, as torch has, can hang.
    return ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), max_tasks_per_child=tasks_each
    )


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


def as_they_end(pending: dict[Future, T], of: str) -> Iterator[tuple[T, dict]]:
    """Yield what each future stands for, with its row, until none is pending.

    Parameters
    ----------
    pending : dict of Future to anything
        What ends is taken out; more may be put in between two rows. Whatever is left
        when the caller stops, or a run fails, is cancelled.
    of : str
        What runs, for the message: "study 'facts'".

    Raises
    ------
    StudyError
        If a worker process died.
    """
    try:
        while pending:
            done = wait(pending, return_when=FIRST_COMPLETED).done
            # Whole rows first, or an error beside them would lose them.
            for future in sorted(done, key=lambda f: f.exception() is not None):
                yield pending.pop(future), future.result()
    except BrokenExecutor as error:
        raise StudyError(
            f"a worker process died while {of} ran, often for lack of memory. The rows "
            "so far are kept: run it again, perhaps with workers=1"
        ) from error
    finally:
        for future in pending:
            future.cancel()
