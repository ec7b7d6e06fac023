"""Running one job: train a prompt, or score a wording or a guess; the row it leaves."""

import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import torch

from ..errors import TrainingError
from ..evaluation.baselines import text_baselines
from ..evaluation.report import Report, evaluate
from ..prompts.prompt import Prompt
from ..prompts.tuner import PromptTuner
from ..training.fit import fit
from ..training.history import History
from .job import Job
from .prepare import device_name, prepared_lm, prepared_task
from .provenance import code_version, versions

FIRST_LOSSES = 10


def run_job(job: Job, threads: int = 1) -> dict[str, Any]:
    """Run a job in this process and return its row.

    Parameters
    ----------
    job : Job
    threads : int
        One by default. Two processes of one thread do more than one process of two,
        and the order of additions, and so the last bits, does not depend on the
        number of cores.

    Returns
    -------
    dict
        JSON types only. ``score`` is the metric on the test rows; ``test_hits`` and
        ``test_correct`` have a 1 or 0 for each of them, in order. A run whose loss
        was not finite has ``error`` and no score.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    started = time.perf_counter()
    try:
        if job.is_trained:
            found = _train(job)
        else:
            found = _guess(job) if job.is_guess else _score_wording(job)
    finally:
        torch.set_num_threads(before)
    seconds = round(time.perf_counter() - started, 2)
    return {
        "key": job.key,
        **asdict(job),
        **found,
        "code": code_version(),
        "versions": versions(),
        "device": device_name(job),
        "threads": threads,
        "seconds": seconds,
    }


def hits_to_text(hits: Iterable) -> str:
    """Return hits as they are stored: a 1 or 0 for each test row, in order."""
    return "".join("1" if hit else "0" for hit in hits)


def _train(job: Job) -> dict:
    task, lm = prepared_task(job), prepared_lm(job)
    tuner = PromptTuner(
        lm,
        job.template,
        encoder=job.encoder,
        init=job.init or None,
        seed=job.seed,
        task=task,
    )
    row = {
        "init_used": tuner.init,
        "num_virtual_tokens": tuner.num_virtual_tokens,
        "num_trainable": tuner.num_trainable(),
        "error": "",
    }
    try:
        history = fit(tuner, task, progress=False, **job.training_settings())
    except TrainingError as error:
        # Other troubles, such as a full GPU, say nothing about the job.
        if error.history is None or error.history.stopped != "nan":
            raise
        empty = {"score": None, "dev_score": None, "test_hits": "", "test_correct": ""}
        return row | empty | _curve(error.history) | {"error": str(error)}
    report = evaluate(tuner.fold(), task, batch_size=job.batch_size, progress=False)
    dev = {"dev_score": history.best_score, "best_step": history.best_step}
    return row | dev | _curve(history) | _test(report, job.metric)


def _curve(history: History) -> dict:
    if not history.records:  # it failed at the first step
        return {"first_losses": [], "dev_curve": []}
    frame = history.frame
    scored = frame[frame["dev_score"].notna()]
    points = zip(scored["step"], scored["dev_score"], strict=True)
    return {
        "first_losses": frame["loss"].head(FIRST_LOSSES).tolist(),
        "last_loss": float(frame["loss"].tail(10).mean()),
        "dev_curve": [[int(step), float(score)] for step, score in points],
        "seconds_at": [round(s, 2) for s in frame["seconds"].head(FIRST_LOSSES)],
        "training_seconds": round(float(frame["seconds"].max()), 2),
    }


def _test(report: Report, metric: str) -> dict:
    return {
        "score": getattr(report, metric),
        "p_at_1": report.p_at_1,
        "accuracy": report.accuracy,
        "test_hits": hits_to_text(report.rows["hit"]),
        "test_correct": hits_to_text(report.rows["correct"]),
    }


def _guess(job: Job) -> dict:
    """Return the row of a majority vote or of naive Bayes, which read no prompt."""
    task, row = prepared_task(job), {"error": "", "first_losses": [], "dev_curve": []}
    for split in ("dev", "test"):
        guesses, answers = text_baselines(task, split), task.split(split)["answer"]
        right = [g == a for g, a in zip(guesses[job.control], answers, strict=True)]
        row[f"{split}_hits"] = row[f"{split}_correct"] = hits_to_text(right)
        row["dev_score" if split == "dev" else "score"] = sum(right) / len(right)
    return row | {"p_at_1": row["score"], "accuracy": row["score"]}


def _score_wording(job: Job) -> dict:
    """Return the row of a template without virtual tokens; nothing is trained."""
    task, prompt = prepared_task(job), Prompt(prepared_lm(job), job.template)
    dev, test = (
        evaluate(prompt, task, split=s, batch_size=job.batch_size, progress=False)
        for s in ("dev", "test")
    )
    return {
        "error": "",
        "first_losses": [],
        "dev_curve": [],
        "dev_score": getattr(dev, job.metric),
        **_test(test, job.metric),
        "dev_hits": hits_to_text(dev.rows["hit"]),
        "dev_correct": hits_to_text(dev.rows["correct"]),
    }
