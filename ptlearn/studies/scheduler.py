"""Running a study: its jobs go to an executor, their rows to a file as they come.

A study that was killed goes on where it stopped. Two studies that share a run share
its row.
"""

from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from tqdm.auto import tqdm

from .executors import as_they_end, process_pool
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
    from ..tasks.task import Task
    from .staged import StagedStudy


def run_study(
    study: "Study | StagedStudy",
    *,
    folder: str | Path | None = None,
    executor: Executor | None = None,
    workers: int = 2,
    threads: int = 1,
    progress: bool = True,
    own: "Task | None" = None,
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
    own : Task, optional
        Rows of your own, for jobs that name them; they go to the executor with each.

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
    path, study = folder / f"{study.name}.jsonl", study.in_folder(folder)
    with (
        only_writer(path),
        process_pool(workers) if executor is None else nullcontext(executor) as pool,
    ):
        drop_torn_line(path)
        rows = read_folder(folder)
        missing = study.size() - num_done(study, rows)
        with tqdm(total=missing, desc=study.name, disable=not progress) as bar:
            for run, row in _finished(study, rows, pool, threads, own):
                arm, table = run.arm.name, row.pop("table", None)
                if run.final and table is not None:
                    save_table(folder, row["key"], table)
                about = {"study": study.name, "arm": arm} | study.about(run)
                append_row(path, about | row)
                bar.set_postfix_str(f"{arm}: {_shown(row)}")
                bar.update()
    return results(study, folder)


def _finished(
    study: "Study | StagedStudy",
    rows: dict[str, dict],
    pool: Executor,
    threads: int,
    own: "Task | None" = None,
) -> Iterator[tuple[Run, dict]]:
    """Submit jobs as they become known; yield (run, row) as they end."""
    pending: dict[Future, Run] = {}
    beside = (threads,) if own is None else (threads, own)

    def submit() -> None:
        known = set(rows) | {run.job.key for run in pending.values()}
        for run in study.runs(rows):
            if run.job.key not in known:
                pending[pool.submit(run_job, run.job, *beside)] = run
                known.add(run.job.key)

    submit()
    for run, row in as_they_end(pending, f"study {study.name!r}"):
        rows[run.job.key] = row
        yield run, row
        submit()


def _shown(row: dict) -> str:
    if row["error"]:
        return "failed"
    score = row["dev_score"] if row["score"] is None else row["score"]
    return f"{score:.3f}"
