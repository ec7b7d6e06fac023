"""One run of a study: what it does, and the row that it leaves.

A job says everything that decides its row; a row says everything needed to repeat it.
Jobs are plain data, so that any executor can carry them to another process or machine.
"""

import copy
import hashlib
import json
import platform
import random
import time
from dataclasses import asdict, dataclass, fields, replace
from functools import cache

import torch

from ..errors import StudyError, TrainingError
from ..evaluation.baselines import text_baselines
from ..evaluation.report import Report, evaluate
from ..lm.load import LanguageModel, load_lm, random_lm_like
from ..prompts.prompt import Prompt
from ..prompts.tuner import PromptTuner
from ..tasks.task import Task, load_task
from ..templates.language import Template
from ..training.fit import fit
from ..training.history import History
from .provenance import code_version, versions

CONTROLS = (
    "majority",
    "naive Bayes",
    "random weights",
    "random embeddings",
    "shuffled labels",
)
FIRST_LOSSES = 10


@dataclass(frozen=True)
class Job:
    """One run: everything that decides its numbers, and nothing else.

    Attributes
    ----------
    task, template, model : str
        A template without virtual tokens is scored as it is, and not trained.
    encoder, init : str
        As in ``PromptTuner``; "" leaves the start to the encoder.
    lr : float or None
        Peak learning rate; None where nothing is trained.
    seed : int
        For the start, the encoder's weights, the order of the rows, few-shot rows,
        shuffled labels and random weights alike.
    steps, batch_size, evaluate_every, metric
        As in ``fit``.
    control : str
        One of ``CONTROLS``, or "" for the real thing.
    per_answer : int or None
        Training rows of each answer (None: all), drawn by the seed.
    dev_rows, test_rows : int or None
        Only the first so many (None: all).
    test_task : str
        Score on this other task's test rows; "" for the own ones.
    """

    task: str
    template: str
    model: str = "smollm2-135m"
    encoder: str = "none"
    init: str = ""
    lr: float | None = None
    seed: int = 0
    steps: int = 150
    batch_size: int = 16
    evaluate_every: int = 25
    metric: str = "p_at_1"
    control: str = ""
    per_answer: int | None = None
    dev_rows: int | None = None
    test_rows: int | None = None
    test_task: str = ""

    def __post_init__(self):
        if self.control and self.control not in CONTROLS:
            raise StudyError(
                f"no control is called {self.control!r}: {', '.join(CONTROLS)}"
            )

    @property
    def is_trained(self) -> bool:
        """Whether there is anything to train."""
        reads_no_prompt = self.control in ("majority", "naive Bayes")
        return Template(self.template).has_virtual_tokens and not reads_no_prompt

    @property
    def key(self) -> str:
        """What names the job: a hash of the settings that are not the default."""
        # So a setting that is added one day leaves the names of old rows alone.
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        default = {f.name: f.default for f in fields(self)}
        told = {name: value for name, value in own.items() if value != default[name]}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[
            :16
        ]

    @classmethod
    def from_row(cls, row: dict) -> "Job":
        """The job that gave a row."""
        return cls(**{f.name: row[f.name] for f in fields(cls) if f.name in row})


def run_job(job: Job, threads: int = 1) -> dict:
    """Run a job in this process and return its row.

    Parameters
    ----------
    threads : int
        One by default: two processes of one thread do more than one of two, and the
        order of additions, and so the last bits, does not hang on the core count.

    Returns
    -------
    dict
        JSON types only. ``score`` is the metric on the test rows; ``test_hits`` and
        ``test_correct`` have a 1 or 0 for each of them, in order. A training that
        failed (a loss that is not finite) has ``error`` and no score.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    started = time.perf_counter()
    try:
        found = _train(job) if job.is_trained else _score_as_it_is(job)
    finally:
        torch.set_num_threads(before)
    seconds = round(time.perf_counter() - started, 2)
    about = {"code": code_version(), "versions": versions(), "device": device(job)}
    return (
        {"key": job.key}
        | asdict(job)
        | found
        | about
        | {"threads": threads, "seconds": seconds}
    )


def measured_seconds(job: Job, threads: int = 1) -> float:
    """How long a job takes here, from its first four steps or 32 rows, in seconds.

    The time to load the model is left out: a worker does that once.
    """
    if job.control not in ("majority", "naive Bayes"):
        prepared_lm(job.model)
    task = prepared_task(job)
    if not job.is_trained:
        few = replace(job, test_rows=16, dev_rows=16)
        rows = len(task.dev) + len(task.test)
        return run_job(few, threads)["seconds"] * rows / 32
    few = replace(job, steps=4, evaluate_every=4, lr=job.lr or 1e-3)
    row = run_job(few, threads)
    at = row["seconds_at"]
    step = (at[2] - at[0]) / 2
    dev, test = max(0.0, at[0] - step), row["seconds"] - at[-1]
    return job.steps * step + (1 + job.steps // job.evaluate_every) * dev + test


def _train(job: Job) -> dict:
    task, lm = prepared_task(job), prepared_lm(job.model, job.control, job.seed)
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
    settings = {
        name: getattr(job, name)
        for name in ("steps", "batch_size", "lr", "seed", "evaluate_every", "metric")
    }
    try:
        history = fit(tuner, task, progress=False, **settings)
    except TrainingError as error:
        empty = {"score": None, "dev_score": None, "test_hits": "", "test_correct": ""}
        return row | empty | _curve(error.history) | {"error": str(error)}
    report = evaluate(tuner.fold(), task, batch_size=job.batch_size, progress=False)
    dev = {"dev_score": history.best_score, "best_step": history.best_step}
    return row | dev | _curve(history) | _test(report, job.metric)


def _curve(history: History | None) -> dict:
    if history is None or not history.records:  # it failed at the first step
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
        "test_hits": _bits(report.rows["hit"]),
        "test_correct": _bits(report.rows["correct"]),
    }


def _score_as_it_is(job: Job) -> dict:
    """The row of a wording, or of a guess that reads no prompt; nothing is trained."""
    task, row = prepared_task(job), {"error": "", "first_losses": [], "dev_curve": []}
    if job.control in ("majority", "naive Bayes"):
        for split in ("dev", "test"):
            guesses = text_baselines(task, split)[job.control]
            right = [
                g == a
                for g, a in zip(guesses, task.split(split)["answer"], strict=True)
            ]
            score = sum(right) / len(right)
            row[f"{split}_hits"] = row[f"{split}_correct"] = _bits(right)
            row["dev_score" if split == "dev" else "score"] = score
        return row | {"p_at_1": row["score"], "accuracy": row["score"]}
    prompt = Prompt(prepared_lm(job.model, job.control, job.seed), job.template)
    dev, test = (
        evaluate(prompt, task, split=s, batch_size=job.batch_size, progress=False)
        for s in ("dev", "test")
    )
    row |= {"dev_score": getattr(dev, job.metric)} | _test(test, job.metric)
    row["dev_hits"] = _bits(dev.rows["hit"])
    return row | {"dev_correct": _bits(dev.rows["correct"])}


def _bits(values) -> str:
    return "".join("1" if value else "0" for value in values)


def prepared_task(job: Job) -> Task:
    """The task as the job sees it: few rows, shuffled labels, another's test rows."""
    task = load_task(job.task)
    if job.per_answer is not None:
        task = task.few_shot(job.per_answer, job.seed)
    if job.test_task:
        task = task.with_rows(test=load_task(job.test_task).test.to_list())
    if job.dev_rows is not None:
        task = task.head("dev", job.dev_rows)
    if job.test_rows is not None:
        task = task.head("test", job.test_rows)
    if job.control == "shuffled labels":
        rows, answers = task.train.to_list(), list(task.train["answer"])
        random.Random(job.seed).shuffle(answers)
        shuffled = [row | {"answer": a} for row, a in zip(rows, answers, strict=True)]
        task = task.with_rows(train=shuffled)
    return task


@cache
def _loaded(model: str) -> LanguageModel:
    return load_lm(model)


def prepared_lm(model: str, control: str = "", seed: int = 0) -> LanguageModel:
    """The language model, kept for the next job; a control gets a changed copy."""
    lm = _loaded(model)
    if control == "random weights":
        return random_lm_like(lm, seed=seed)
    if control != "random embeddings":
        return lm
    changed = copy.deepcopy(lm.model)
    weight = changed.get_input_embeddings().weight
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(weight.shape, generator=generator) * lm.embedding_std
    weight.data.copy_(drawn)
    name = f"{lm.name}, random embeddings"
    return LanguageModel(changed, lm.tokenizer, lm.kind, name)


def device(job: Job) -> str:
    """The kind of processor, such as "cpu x86_64 AVX2" or a GPU's name."""
    if job.control in ("majority", "naive Bayes"):
        return f"cpu {platform.machine()}"
    place = _loaded(job.model).device
    if place.type == "cuda":
        return f"cuda {torch.cuda.get_device_name(place)}"
    return (
        f"{place.type} {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    )
