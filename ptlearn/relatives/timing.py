"""Seconds a step and milliseconds an answer, to be taken on a quiet machine."""

import time
from statistics import median
from typing import Any

import torch

from ..files import short_hash
from ..forward.kv_cache import ContextCache
from ..lm.load import load_lm
from ..studies.prepare import arithmetic
from ..studies.provenance import code_version, versions
from .catalogue import FEW, NO_STEP, RelativesStudy
from .methods import make_tuner
from .probe import LinearProbe
from .record import START, untrained_prompt
from .trial import PROBE, PROMPTS, UNTRAINED, WITH_RATE, Trial, trial_task

REPEATS = 5
AT_ONCE = 16
"""Rows of a batch that are answered together."""


def timing_keys(study: RelativesStudy, threads: int = 2) -> dict[str, Trial]:
    """Return what is measured: a trial for each method and task, by its row's key."""
    found = {}
    for task in study.tasks:
        for method in study.methods:
            lr = NO_STEP if method in WITH_RATE else None
            trial = study.trial(method, task, FEW, lr=lr)
            found[_key(trial, threads)] = trial
    return found


def run_timing(trial: Trial, threads: int = 2) -> dict[str, Any]:
    """Measure one method on one task and return its row.

    Returns
    -------
    dict
        ``step_seconds``: median of a training step of ``batch_size`` rows after a
        warm-up; None for what takes no steps. ``fit_seconds`` of a probe: reading the
        rows and solving, once. ``answer_ms``: median time to score the answers of a
        batch of 16 test rows, for each row.
    """
    with arithmetic(threads):
        lm = load_lm(trial.model, device="cpu")
        task = trial_task(trial)
        steps, fit_seconds = [], None
        if trial.method in UNTRAINED:
            answering = untrained_prompt(trial, lm).answer_log_probs
        elif trial.method == PROBE:
            probe = LinearProbe(lm, trial.setting.wording)
            fit_seconds = _seconds(lambda: probe.fit(task))
            answering = probe.predict
        else:
            tuner = make_tuner(trial.method, lm, trial.setting, trial.seed)
            steps = _steps(tuner, list(task.train), trial)
            answering = tuner.fold().answer_log_probs
        rows = list(task.test)[:AT_ONCE]
        answering(rows)  # warms up
        answers = [_seconds(lambda: answering(rows)) for _ in range(REPEATS)]
    return {
        "key": _key(trial, threads),
        "kind": "timing",
        "method": trial.method,
        "task": trial.task,
        "model": trial.model,
        "batch_size": trial.batch_size,
        "step_seconds": round(median(steps), 4) if steps else None,
        "fit_seconds": None if fit_seconds is None else round(fit_seconds, 2),
        "answer_ms": round(1000 * median(answers) / len(rows), 2),
        "threads": threads,
        "code": code_version(start=START),
        "versions": versions(),
    }


def _key(trial: Trial, threads: int) -> str:
    text = f"timing {trial.key} {threads}"
    return short_hash(text)


def _steps(tuner, rows: list[dict], trial: Trial) -> list[float]:
    """Return the seconds of some steps, after each row was met once."""
    examples = [tuner.tokens.encode(row) for row in rows]
    optimizer = torch.optim.AdamW(tuner.parameters(), lr=trial.lr, fused=True)
    kept = {}
    if trial.method in PROMPTS:
        kept["context_cache"] = ContextCache(example.ids for example in examples)
    size, seconds = trial.batch_size, []

    def step(batch):
        (-tuner(batch, **kept).mean()).backward()
        optimizer.step()
        optimizer.zero_grad()

    batches = [examples[i : i + size] for i in range(0, len(examples), size)]
    for number in range(REPEATS + len(batches)):
        batch = batches[number % len(batches)]
        taken = _seconds(lambda batch=batch: step(batch))
        # In a run of many epochs most visits are not the first.
        if number >= len(batches):
            seconds.append(taken)
    return seconds


def _seconds(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
