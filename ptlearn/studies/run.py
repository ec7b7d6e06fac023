"""Running one job: train a prompt, or score a wording or a guess; the row it leaves."""

import math
import time
import warnings
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from ..errors import TrainingError
from ..evaluation.baselines import text_baselines
from ..evaluation.demonstrations import draw_demonstrations, with_demonstrations
from ..evaluation.report import Report, evaluate
from ..prompts.prompt import Prompt
from ..prompts.tuner import PromptTuner
from ..tasks.task import Task
from ..training.dev import EVALUATION_BATCH
from ..training.fit import fit
from ..training.history import History
from .job import Job
from .prepare import arithmetic, device_name, prepared_lm, prepared_task
from .provenance import code_version, versions

FIRST_LOSSES = 10
DIGITS = 6
"""Significant digits of stored losses, moves and lengths; first losses have all."""


def run_job(job: Job, threads: int = 1, own: Task | None = None) -> dict[str, Any]:
    """Run a job in this process and return its row.

    Parameters
    ----------
    job : Job
    threads : int
        One by default. Two processes of one thread do more than one process of two,
        and the order of additions, and so the last bits, does not depend on the
        number of cores.
    own : Task, optional
        Rows of your own, where the job names them; see ``Job.rows``.

    Returns
    -------
    dict
        JSON types, and under ``table`` the tuned prompt embeddings, a tensor of shape
        (num_virtual_tokens, token_dim), which ``run_study`` stores apart. ``score`` is
        the metric on the test rows; ``test_hits`` and ``test_correct`` have a 1 or 0
        for each of them, in order. A run whose loss was not finite has ``error`` and
        no score.
    """
    started = time.perf_counter()
    with arithmetic(threads):
        if job.is_trained:
            found = _train(job, own)
        else:
            found = (_guess if job.is_guess else _score_wording)(job, own)
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


def text_to_hits(text: str) -> np.ndarray:
    """Return stored hits as an array of bool, shape (test rows,)."""
    return np.array([hit == "1" for hit in text], dtype=bool)


def make_tuner(job: Job, task: Task) -> PromptTuner:
    """Return the tuner that a job trains, at its start."""
    with warnings.catch_warnings():
        # Who wrote the study knows that an encoder sees words only as its input.
        warnings.filterwarnings("ignore", "the words are only the input", UserWarning)
        return PromptTuner(
            prepared_lm(job),
            job.template,
            encoder=job.encoder,
            init=job.init or None,
            seed=job.seed if job.weights_seed is None else job.weights_seed,
            init_seed=job.seed if job.start_seed is None else job.start_seed,
            task=task,
        )


class TableWatcher:
    """A callback of ``fit`` that notes how far the prompt embeddings move.

    Attributes
    ----------
    moves : list of Tensor
        Root-mean-square move of a coordinate in each step.
    """

    def __init__(self, tuner: PromptTuner):
        self.moves: list[torch.Tensor] = []
        self.table = self._now(tuner)
        self.lengths = self.table.norm(dim=1)

    def __call__(self, tuner: PromptTuner, record: dict) -> None:
        """Note the move of one step."""
        table = self._now(tuner)
        # Stays on its device: to ask a GPU for a number is to wait for it.
        self.moves.append((table - self.table).square().mean().sqrt())
        self.table = table

    @staticmethod
    @torch.no_grad()
    def _now(tuner: PromptTuner) -> torch.Tensor:
        return tuner.prompt_embeddings().clone()


def _train(job: Job, own: Task | None) -> dict:
    task = prepared_task(job, own)
    tuner = make_tuner(job, task)
    watcher = TableWatcher(tuner)
    row = {
        "init_used": tuner.init,
        "num_virtual_tokens": tuner.num_virtual_tokens,
        "num_trainable": tuner.num_trainable(),
        "error": "",
    }
    try:
        history = fit(
            tuner, task, callback=watcher, progress=False, **job.training_settings()
        )
    except TrainingError as error:
        # Other troubles, such as a full GPU, say nothing about the job.
        if error.history is None or error.history.stopped != "nan":
            raise
        empty = {"score": None, "dev_score": None, "test_hits": "", "test_correct": ""}
        found = _curve(error.history) | _moves(watcher)
        return row | empty | found | {"error": str(error)}
    row |= {"dev_score": history.best_score, "best_step": history.best_step}
    row |= _curve(history) | _moves(watcher)
    if not job.score_test:
        return row | {"score": None, "test_hits": "", "test_correct": ""}
    prompt = tuner.fold()
    report = evaluate(prompt, task, batch_size=EVALUATION_BATCH, progress=False)
    lengths = prompt.prompt_embeddings().norm(dim=1)
    row |= _test(report, job.metric) | {"end_lengths": _rounded(lengths)}
    return row | {"table": prompt.prompt_embeddings().cpu()}


def _curve(history: History) -> dict:
    if not history.records:  # it failed at the first step
        return {"first_losses": [], "dev_curve": [], "dev_losses": []}
    frame = history.frame
    scored = frame[frame["dev_score"].notna()]
    points = zip(scored["step"], scored["dev_score"], strict=True)
    losses = zip(scored["step"], scored["dev_loss"], strict=True)
    return {
        "first_losses": frame["loss"].head(FIRST_LOSSES).tolist(),
        "last_loss": float(frame["loss"].tail(10).mean()),
        "losses": _rounded(frame["loss"]),
        "grad_norms": _rounded(frame["grad_norm"]),
        "dev_curve": [[int(step), float(score)] for step, score in points],
        "dev_losses": [[int(step), *_rounded([loss])] for step, loss in losses],
        "stopped": history.stopped,
        "steps_taken": len(frame),
        "seconds_at": [round(s, 2) for s in frame["seconds"].head(FIRST_LOSSES)],
        "training_seconds": round(float(frame["seconds"].max()), 2),
    }


def _moves(watcher: TableWatcher) -> dict:
    moves = torch.stack(watcher.moves).tolist() if watcher.moves else []
    return {"moves": _rounded(moves), "start_lengths": _rounded(watcher.lengths)}


def _rounded(numbers: Iterable) -> list[float | None]:
    """Return numbers as they are stored; JSON has none that are not finite."""
    if isinstance(numbers, torch.Tensor):
        numbers = numbers.tolist()
    finite = (number if math.isfinite(number) else None for number in numbers)
    return [n if n is None else float(f"{n:.{DIGITS}g}") for n in finite]


def _test(report: Report, metric: str) -> dict:
    return {
        "score": getattr(report, metric),
        "p_at_1": report.p_at_1,
        "accuracy": report.accuracy,
        "test_hits": hits_to_text(report.rows["hit"]),
        "test_correct": hits_to_text(report.rows["correct"]),
        "test_log_probs": [round(value, 4) for value in report.rows["log_prob"]],
        "test_predictions": report.rows["predicted"].tolist(),
    }


def _guess(job: Job, own: Task | None) -> dict:
    """Return the row of a majority vote or of naive Bayes, which read no prompt."""
    task = prepared_task(job, own)
    row = {"error": "", "first_losses": [], "dev_curve": []}
    for split in ("dev", "test"):
        guesses, answers = text_baselines(task, split), task.split(split)["answer"]
        right = [g == a for g, a in zip(guesses[job.control], answers, strict=True)]
        row[f"{split}_hits"] = row[f"{split}_correct"] = hits_to_text(right)
        row["dev_score" if split == "dev" else "score"] = sum(right) / len(right)
    return row | {"p_at_1": row["score"], "accuracy": row["score"]}


def _score_wording(job: Job, own: Task | None) -> dict:
    """Return the row of a template without virtual tokens; nothing is trained."""
    task = prepared_task(job, own)
    shown = draw_demonstrations(task, job.demonstrations, job.seed)
    prompt = Prompt(prepared_lm(job), with_demonstrations(job.template, shown))
    options = {"batch_size": EVALUATION_BATCH, "progress": False}
    dev = evaluate(prompt, task, split="dev", **options)
    row = {
        "error": "",
        "first_losses": [],
        "dev_curve": [],
        "dev_losses": [[0, *_rounded([dev.loss])]],
        "dev_score": getattr(dev, job.metric),
        "dev_hits": hits_to_text(dev.rows["hit"]),
        "dev_correct": hits_to_text(dev.rows["correct"]),
    }
    if not job.score_test:
        return row | {"score": None, "test_hits": "", "test_correct": ""}
    return row | _test(evaluate(prompt, task, **options), job.metric)
