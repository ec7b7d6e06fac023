"""What a job works on: its rows and its language model, changed as its control asks."""

import copy
import platform
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

from ..errors import StudyError
from ..lm.bfloat16 import has_bfloat16_instructions
from ..lm.language_model import LanguageModel
from ..lm.load import load_lm, random_lm_like
from ..tasks.rows import content_hash
from ..tasks.sampling import cv_split, few_rows
from ..tasks.task import Task, load_task
from .job import Job


def prepared_task(job: Job, own: Task | None = None) -> Task:
    """Return the task as the job sees it.

    It may have few training rows, shuffled labels or another task's test rows.

    Parameters
    ----------
    job : Job
    own : Task, optional
        The rows of a job that names its rows by their hash.

    Raises
    ------
    StudyError
        If such a job is not given its rows, or others.
    """
    task = _own_rows(job, own) if job.rows else load_task(job.task)
    if job.cv_fold is not None:
        task = cv_split(task, job.cv_fold)
    if job.few_rows is not None:
        task = few_rows(task, job.few_rows, job.seed)
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


def _own_rows(job: Job, own: Task | None) -> Task:
    if own is None:
        raise StudyError(
            f"the rows of task {job.task!r} are your own and not stored with the run: "
            f"give the task whose content hash is {job.rows}"
        )
    found = content_hash(own)
    if found != job.rows:
        raise StudyError(
            f"the run was made on rows with the hash {job.rows}, those of task "
            f"{own.name!r} have {found}: a row, an answer or their order "
            "is another one"
        )
    return own


@cache
def _loaded(model: str, dtype: str) -> LanguageModel:
    with warnings.catch_warnings():
        # A study compares what comes out; how fast that is here does not matter.
        warnings.filterwarnings("ignore", "no bfloat16 instructions", UserWarning)
        return load_lm(model, dtype=dtype)


def prepared_lm(job: Job) -> LanguageModel:
    """Return the job's language model; a control gets a changed copy.

    The true model is kept for the next job in this process.
    """
    lm = _loaded(job.model, job.dtype)
    if job.control == "random weights":
        return random_lm_like(lm, seed=job.seed)
    if job.control != "random embeddings":
        return lm
    changed = copy.deepcopy(lm.model)
    weight = changed.get_input_embeddings().weight
    generator = torch.Generator().manual_seed(job.seed)
    drawn = torch.randn(weight.shape, generator=generator) * lm.embedding_std
    weight.data.copy_(drawn)
    name = f"{lm.name}, random embeddings"
    return LanguageModel(changed, lm.tokenizer, lm.kind, name)


def device_name(job: Job) -> str:
    """Return the kind of processor, such as "cpu x86_64 AVX2" or a GPU's name."""
    if job.is_guess:
        return f"cpu {platform.machine()}"
    return processor_name(_loaded(job.model, job.dtype))


def processor_name(lm: LanguageModel) -> str:
    """Return the kind of processor that a language model computes on."""
    place = lm.device
    if place.type == "cuda":
        return f"cuda {torch.cuda.get_device_name(place)}"
    instructions = torch.backends.cpu.get_cpu_capability()
    in_bfloat16 = lm.product_dtype == torch.bfloat16
    if in_bfloat16 and has_bfloat16_instructions(place):
        instructions += " BF16"  # which give other bits than the imitation
    return f"{place.type} {platform.machine()} {instructions}"


@contextmanager
def arithmetic(threads: int) -> Iterator[None]:
    """Use so many threads, and full float32 on a GPU too, for the time of a run."""
    before = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False  # an LSTM would lose 13 of 23 bits
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
