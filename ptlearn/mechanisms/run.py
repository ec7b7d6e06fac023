"""Running the experiments on what an encoder does: rows and tables as they come.

An experiment that was killed goes on where it stopped: what has a row is not run again.
"""

from concurrent.futures import Executor, Future
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import torch
from tqdm.auto import tqdm

from ..studies.executors import as_they_end, process_pool
from ..studies.store import (
    append_row,
    default_folder,
    drop_torn_line,
    load_table,
    only_writer,
    read_folder,
    save_table,
    stored_folder,
)
from .catalogue import Experiment, load_experiment
from .lines import run_line
from .recording import run_trace

NAMING = ["experiment", "arm", "kind", "error"]
"""Columns that a table has even without rows."""


def run_experiment(
    experiment: str | Experiment,
    folder: str | Path | None = None,
    executor: Executor | None = None,
    workers: int = 2,
    *,
    threads: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """Run what an experiment still lacks: its traces, then its lines.

    Parameters
    ----------
    experiment : str or Experiment
        A name in ``catalogue.experiments()``, or an experiment.
    folder : path, optional
        Holds ``NAME.jsonl``, to which each row is added as it comes, and the folder
        ``tables``, with the last table of each trace. None: ``why`` below the folder of
        the studies.
    executor : concurrent.futures.Executor, optional
        Where the traces run. None: ``workers`` new processes here.
    workers, threads : int
        Processes side by side, where no executor is given; threads of each.
    progress : bool
        Show a bar.

    Returns
    -------
    DataFrame
        As :func:`experiment_results`.

    Raises
    ------
    StudyError
        If the name is unknown, a worker died, another process is running the same
        experiment, or a file of rows is damaged. Rows that are done stay.
    """
    if isinstance(experiment, str):
        experiment = load_experiment(experiment)
    folder = _folder(folder, default_folder())
    path = folder / f"{experiment.name}.jsonl"
    with (
        only_writer(path),
        process_pool(workers) if executor is None else nullcontext(executor) as pool,
    ):
        drop_torn_line(path)
        for submit in (_submit_traces, _submit_lines):
            rows = read_folder(folder)
            pending = submit(experiment, rows, folder, pool, threads)
            with tqdm(
                total=len(pending), desc=experiment.name, disable=not progress
            ) as bar:
                for arm, row in as_they_end(pending, f"experiment {experiment.name!r}"):
                    if "tables" in row:
                        # The first one follows from the trace's seeds.
                        end = torch.tensor(row.pop("tables")[1])
                        save_table(folder, row["key"], end)
                    about = {"experiment": experiment.name, "arm": arm}
                    append_row(path, about | row)
                    bar.set_postfix_str(arm)
                    bar.update()
    return experiment_results(experiment, folder)


def experiment_results(
    experiment: str | Experiment, folder: str | Path | None = None
) -> pd.DataFrame:
    """Return the stored rows of an experiment, one line for each trace and line.

    Parameters
    ----------
    experiment : str or Experiment
    folder : path, optional
        Where the rows lie; None: those that come with the package.

    Returns
    -------
    DataFrame
        The columns of a row; ``arm`` as this experiment calls it; ``kind``: "trace" or
        "line".
    """
    if isinstance(experiment, str):
        experiment = load_experiment(experiment)
    rows = read_folder(_folder(folder, stored_folder()))
    wanted = [("trace", arm, trace.key) for arm, trace in experiment.traces()]
    wanted += [("line", arm, line.key) for arm, line, _ in experiment.between()]
    lines = [
        rows[key] | {"experiment": experiment.name, "arm": arm, "kind": kind}
        for kind, arm, key in wanted
        if key in rows
    ]
    return pd.DataFrame(lines, columns=None if lines else NAMING)


def _folder(folder: str | Path | None, studies: Path) -> Path:
    return Path(folder) if folder is not None else studies / "why"


def _submit_traces(
    experiment: Experiment, rows: dict, folder: Path, pool: Executor, threads: int
) -> dict[Future, str]:
    return {
        pool.submit(run_trace, trace, threads): arm
        for arm, trace in experiment.traces()
        if trace.key not in rows
    }


def _submit_lines(
    experiment: Experiment, rows: dict, folder: Path, pool: Executor, threads: int
) -> dict[Future, str]:
    pending = {}
    for arm, line, trace in experiment.between():
        if line.key in rows or rows[line.first]["error"] or rows[line.second]["error"]:
            continue
        from_start = line.first_end == "start"
        first = None if from_start else load_table(folder, line.first).tolist()
        second = load_table(folder, line.second).tolist()
        pending[pool.submit(run_line, line, trace, first, second, threads)] = arm
    return pending
