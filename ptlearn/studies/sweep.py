"""A sweep of settings on rows of your own: every template, encoder and rate, on dev."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pandas as pd

from ..errors import StudyError
from ..tasks.rows import content_hash
from ..tasks.task import Task
from ..templates.language import Template
from .executors import process_pool
from .job import Job
from .rates import lowest_dev_loss
from .scheduler import run_study
from .study import Arm, Study

COLUMNS = [
    "template",
    "encoder",
    "lr",
    "seed",
    "dev_loss",
    "dev_score",
    "num_virtual_tokens",
    "num_trainable",
    "seconds",
    "error",
    "key",
]


def sweep(
    task: Task,
    templates: Iterable[str],
    *,
    encoders: Iterable[str] = ("none",),
    lrs: Iterable[float] = (0.03, 0.1, 0.3),
    seeds: Iterable[int] = (0,),
    folder: str | Path = "sweep",
    workers: int = 1,
    threads: int = 1,
    executor: Executor | None = None,
    progress: bool = True,
    **settings,
) -> pd.DataFrame:
    """Try every template with every encoder, rate and seed; score on dev rows.

    It is a study: each run becomes a row of a file that says all that decided it, and
    the same call later runs only what is missing. The rows of the task are not stored
    there; their ``tasks.content_hash`` is, so that a changed row is another run. Test
    rows are never looked at: score the one setting that you chose yourself, once.

    Parameters
    ----------
    task : Task
        With train and dev rows.
    templates : iterable of str
        One without virtual tokens is a wording, which is scored once and not trained.
    encoders, lrs, seeds : iterable
        As in ``PromptTuner`` and ``fit``. Each encoder needs rates of its own: sweep
        twice, into the same folder, where the grids differ.
    folder : path
        Where the rows are kept.
    workers : int
        1 runs here, in this process; more start so many new processes.
    threads : int
        Threads of each run.
    executor : concurrent.futures.Executor, optional
        Where the runs are done instead; see :func:`run_study`.
    progress : bool
        Show a bar.
    **settings
        Other settings of a :class:`Job`: ``model``, ``steps``, ``batch_size``,
        ``evaluate_every``, ``schedule``, ``metric``, ``init``.

    Returns
    -------
    DataFrame
        One line for each run, the lowest dev loss first: ``template``, ``encoder``,
        ``lr``, ``seed``, ``dev_loss`` (the lowest of the run, in nats a row),
        ``dev_score`` (the metric's, the highest of the run), ``num_virtual_tokens``,
        ``num_trainable``, ``seconds``, ``error`` and the run's ``key``.

    Raises
    ------
    DataError
        If the task has no train or dev rows, or lacks a column of a template.
    StudyError
        If a setting is unknown, or as from :func:`run_study`.
    """
    templates = [] if isinstance(templates, str) else list(templates)
    if not templates:
        raise StudyError("a sweep needs a list of templates, such as [template]")
    for template in templates:
        task.check_columns(Template(template).fields)
    task.train, task.dev  # noqa: B018 says which one is missing
    settings = {"metric": "accuracy", "evaluate_every": 10, "steps": 60} | settings
    study = _study(task, templates, encoders, lrs, seeds, settings)
    with _here(workers, executor) as pool:
        runs = run_study(
            study,
            folder=folder,
            executor=pool,
            threads=threads,
            progress=progress,
            own=task,
        )
    return _lines(runs)


def _study(task: Task, templates, encoders, lrs, seeds, settings: dict) -> Study:
    encoders, lrs, seeds = list(encoders), list(lrs), tuple(seeds)
    common = {"task": task.name, "rows": content_hash(task), "score_test": False}
    arms = []
    try:
        for template, encoder, lr in product(templates, encoders, lrs):
            job = Job(template=template, encoder=encoder, **common, **settings)
            if job.is_trained:
                arms.append(Arm(f"{template} | {encoder} | {lr:g}", job, lrs=(lr,)))
        arms += [
            Arm(template, Job(template=template, **common, **settings))
            for template in dict.fromkeys(templates)
            if not Template(template).has_virtual_tokens
        ]
    except TypeError as error:
        raise StudyError(f"a sweep cannot take this setting: {error}") from error
    return Study("sweep", "Which settings suit these rows?", tuple(arms), seeds=seeds)


@contextmanager
def _here(workers: int, executor: Executor | None) -> Iterator[Executor]:
    """Return the executor given, or one that is closed at the end."""
    if executor is not None:
        yield executor
        return
    # A thread of this process shares its model; a new process would load its own.
    with ThreadPoolExecutor(1) if workers == 1 else process_pool(workers) as pool:
        yield pool


def _lines(runs: pd.DataFrame) -> pd.DataFrame:
    losses = [lowest_dev_loss(row) for row in runs.to_dict("records")]
    frame = runs.assign(dev_loss=losses).reindex(columns=COLUMNS)
    counts = ["num_virtual_tokens", "num_trainable"]
    frame[counts] = frame[counts].fillna(0).astype(int)
    return frame.sort_values("dev_loss", kind="stable", ignore_index=True)
