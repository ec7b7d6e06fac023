"""Running the comparison: rows as they come, and what is stored of it.

A comparison that was killed goes on where it stopped: what has a row is not run again.
"""

import time
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from ..lm.load import find_device
from ..studies.executors import as_they_end, process_pool
from ..studies.store import (
    append_row,
    default_folder,
    drop_torn_line,
    only_writer,
    read_folder,
    stored_folder,
)
from .catalogue import RelativesStudy, seconds_of
from .record import run_trial
from .timing import run_timing, timing_keys

FILES = {"trial": "trials.jsonl", "timing": "timings.jsonl"}


def run_relatives(
    study: RelativesStudy | None = None,
    folder: str | Path | None = None,
    executor: Executor | None = None,
    workers: int = 2,
    *,
    minutes: float | None = None,
    threads: int = 1,
    device: str = "auto",
    tell=print,
) -> pd.DataFrame:
    """Run what the comparison still lacks, the most important first.

    Each trial runs in a process of its own, so that its peak memory is its own.

    Parameters
    ----------
    study : RelativesStudy, optional
        None: the course's.
    folder : path, optional
        Holds ``trials.jsonl``, to which each row is added as it comes. None:
        ``relatives`` below the folder of the studies.
    executor : concurrent.futures.Executor, optional
        Where the trials run. None: new processes here.
    workers, threads : int
        Processes side by side, where no executor is given; threads of each.
    device : str
        Of the trials that learn or score, as in ``load_lm``. Those that show what a
        method costs are on the CPU everywhere, so that their memory can be compared.
    minutes : float, optional
        Begin no trial that may not be over by then; None: all of them.
    tell : callable
        Gets a line of text after each trial.

    Returns
    -------
    DataFrame
        As :func:`relatives_results`.

    Raises
    ------
    StudyError
        If a worker died, another process is writing the file, or it is damaged. Rows
        that are done stay.
    ModelError
        If the device cannot be used here.
    """
    study = study or RelativesStudy()
    find_device(device)  # or a slip would show only after all costs were measured
    folder = folder_of(folder, default_folder())
    path, ends = folder / FILES["trial"], _deadline(minutes)
    # The model is loaded anew for each trial: its memory must be that of one alone.
    pool = process_pool(workers, tasks_each=1) if executor is None else executor
    with only_writer(path), pool if executor is None else nullcontext(pool) as pool:
        drop_torn_line(path)
        rows, pending = read_folder(folder), {}

        def submit() -> None:
            waiting = {trial.key for _, trial in pending.values()}
            for stage, trial in study.trials(rows):
                if len(pending) >= workers:
                    return
                late = time.monotonic() + seconds_of(trial, rows) > ends
                if trial.key in rows or trial.key in waiting or late:
                    continue
                waiting.add(trial.key)
                place = "cpu" if stage == "cost" else device
                pending[pool.submit(run_trial, trial, threads, place)] = stage, trial

        submit()
        for (stage, _), row in as_they_end(pending, "the comparison of relatives"):
            row = {"stage": stage} | row
            append_row(path, row)
            rows[row["key"]] = row
            tell(_said(row))
            submit()
    return relatives_results(study, folder)


def run_timings(
    study: RelativesStudy | None = None,
    folder: str | Path | None = None,
    executor: Executor | None = None,
    *,
    threads: int = 2,
    tell=print,
) -> pd.DataFrame:
    """Measure seconds a step and answering time, one method after another.

    Run it while the machine does nothing else. A stored timing is not taken again.

    Parameters
    ----------
    study, folder, executor, tell
        As :func:`run_relatives`; the file is ``timings.jsonl``.
    threads : int
        Of each measurement.

    Returns
    -------
    DataFrame
        One line for each method and task.
    """
    study = study or RelativesStudy()
    folder = folder_of(folder, default_folder())
    path = folder / FILES["timing"]
    pool = process_pool(1, tasks_each=1) if executor is None else executor
    with only_writer(path), pool if executor is None else nullcontext(pool) as pool:
        drop_torn_line(path)
        rows = read_folder(folder)
        for key, trial in timing_keys(study, threads).items():
            if key not in rows:
                row = pool.submit(run_timing, trial, threads).result()
                append_row(path, row)
                tell(
                    f"{row['method']}, {row['task']}: {row['step_seconds']} s a step, "
                    f"{row['answer_ms']} ms a row"
                )
    return timings(folder)


def relatives_results(
    study: RelativesStudy | None = None, folder: str | Path | None = None
) -> pd.DataFrame:
    """Return the stored trials, one line each.

    Parameters
    ----------
    study : RelativesStudy, optional
        None: the course's.
    folder : path, optional
        Where the rows lie; None: those that come with the package.

    Returns
    -------
    DataFrame
        The columns of a row; ``arm``, which is the method; ``final``: whether the trial
        counts, or only shows the cost or helped to choose a rate.
    """
    study = study or RelativesStudy()
    rows = read_folder(folder_of(folder, stored_folder()))
    lines = [
        rows[trial.key]
        | asdict(trial)
        | {"arm": trial.method, "stage": stage, "final": stage == "count"}
        | {"cv_fold": None}
        for stage, trial in study.trials(rows)
        if trial.key in rows
    ]
    naming = ["arm", "task", "rows", "seed", "stage", "final", "error", "score"]
    return pd.DataFrame(lines, columns=None if lines else naming)


def timings(folder: str | Path | None = None) -> pd.DataFrame:
    """Return the stored timings; an empty table if none were taken."""
    rows = read_folder(folder_of(folder, stored_folder()))
    lines = [row for row in rows.values() if row.get("kind") == "timing"]
    naming = ["method", "task", "step_seconds", "answer_ms", "model"]
    return pd.DataFrame(lines, columns=None if lines else naming)


def folder_of(folder: str | Path | None, studies: Path) -> Path:
    """Return the folder of the rows: the one given, or ``relatives`` of the studies."""
    return Path(folder) if folder is not None else studies / "relatives"


def _deadline(minutes: float | None) -> float:
    return float("inf") if minutes is None else time.monotonic() + 60 * minutes


def _said(row: dict) -> str:
    what = f"{row['method']}, {row['task']}, {row['rows'] or 'all'} rows"
    rate = f", rate {row['lr']:g}" if row["lr"] is not None else ""
    result = "no score" if row.get("score") is None else f"score {row['score']:.3f}"
    loss = row.get("lowest_dev_loss")
    result += "" if loss is None else f", dev loss {loss:.3f}"
    return f"{what}{rate}, seed {row['seed']}: {result} ({row['seconds']:.0f} s)"
