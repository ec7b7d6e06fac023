"""The small study of lesson 07: word in context with 32 rows, and what shows a failure.

It describes and settles no verdict: the rate is the one that the study ``reviews``
chose for a bare table with as many rows.
"""

from dataclasses import replace

from ..tasks.task import load_task
from .job import Job
from .study import Arm, Study

RATE = 0.1
SEEDS = (0, 1, 2)
"""Each draws its own 32 rows, start and order of rows."""
SAME = Job(
    "word_in_context",
    '{sentence1}\n{sentence2}\nSame meaning of "{word}"?[V:4] {answer}',
    lr=RATE,
    steps=60,
    batch_size=8,
    evaluate_every=30,
    metric="accuracy",
    choose_by="loss",
    few_rows=32,
    test_rows=150,
)
ONE_SENTENCE = '{sentence1}\nSame meaning of "{word}"?[V:4] {answer}'
# As in the study `wording`, whose rows these are.
WORDING = Job(SAME.task, "", metric="accuracy", dev_rows=200, test_rows=200)


def same_meaning() -> Study:
    """Return the study of word in context, with the controls that show what it used."""
    trained = {"tuned": SAME, "one sentence": replace(SAME, template=ONE_SENTENCE)}
    arms = [Arm(name, job, (RATE,)) for name, job in trained.items()]
    for number, text in enumerate(load_task(SAME.task).prompts):
        arms.append(Arm(f"wording {number}", replace(WORDING, template=text)))
    for name in ("majority", "naive Bayes"):
        guess = replace(WORDING, template=arms[-1].job.template, control=name)
        arms.append(Arm(name, guess))
    return Study(
        "same_meaning",
        "Does a word mean the same in two sentences, with 32 rows to learn from?",
        tuple(arms),
        seeds=SEEDS,
    )
