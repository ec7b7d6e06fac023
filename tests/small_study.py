"""A study of seconds on the tiny model, and rows made without any model."""

from dataclasses import replace

from ptlearn.studies.job import Job
from ptlearn.studies.study import Arm, Study

BASE = Job(
    "official_language",
    "[V:1] {subject} [V:1] {answer}",
    model="tiny",
    steps=12,
    evaluate_every=6,
    dev_rows=6,
    test_rows=8,
)
STUDY = Study(
    "small",
    "Does the machinery work?",
    (
        Arm("bare", BASE),
        Arm("LSTM", replace(BASE, encoder="lstm"), lrs=(0.01,)),
        Arm("wording", replace(BASE, template="{subject}: {answer}")),
    ),
    lrs=(0.01, 0.1),
    seeds=(0, 1),
)


def made_up(job: Job, threads: int = 1) -> dict:
    """A row as ``run_job`` gives it, with a dev score that prefers a rate of 0.1."""
    right = {None: 1, 0.01: 2, 0.1: 4, 1.0: 3}[job.lr] + job.seed % 2
    return (
        {"key": job.key}
        | vars(job)
        | {
            "score": right / 8,
            "dev_score": None if job.lr == 1.0 else right / 8,
            "error": "diverged" if job.lr == 1.0 else "",
            "first_losses": [5.0 - i / 10 for i in range(10)] if job.lr else [],
            "dev_curve": [[6, right / 16], [12, right / 8]],
            "test_hits": "1" * right + "0" * (8 - right),
            "test_correct": "1" * 8,
            "code": "0",
            "seconds": 2.0,
            "threads": threads,
        }
    )
