"""The small studies of lesson 07: draws of 32 rows, and word in context.

They describe and settle no verdict: each arm has the rate that ``fit`` takes for a bare
table, or that the study of its task chose.
"""

from dataclasses import replace

from ..tasks.task import load_task
from .job import Job
from .study import Arm, Study

BARE_RATE, WORDS_RATE = 0.1, 0.01
"""What the study ``reviews`` chose for a bare table, and for one from words."""
DRAWS = (0, 1, 2, 3, 4)
STARTS = (0, 1, 2, 3)
REVIEW = Job(
    "movie_sentiment",
    "{text}[V:4] {answer}",
    lr=BARE_RATE,
    steps=60,
    batch_size=8,
    evaluate_every=20,
    metric="accuracy",
    choose_by="loss",
    few_rows=32,
    test_rows=200,
)
REVIEW_WORDS = '{text}[V:"\nSentiment:"] {answer}'
SAME = Job(
    "word_in_context",
    '{sentence1}\n{sentence2}\nSame meaning of "{word}"?[V:4] {answer}',
    lr=BARE_RATE,
    steps=80,
    evaluate_every=20,
    metric="accuracy",
    choose_by="loss",
    per_answer=64,
    dev_rows=32,
    test_rows=200,
)
WITHOUT = {
    "without the word": "{sentence1}\n{sentence2}\nSame meaning?[V:4] {answer}",
    "without the second sentence": '{sentence1}\nSame meaning of "{word}"?[V:4] '
    "{answer}",
}


def few_draws() -> Study:
    """Return the study in which draw and start have a seed each.

    The study's seed draws 32 rows to learn and 32 to choose by; an arm is a start.
    """
    arms = [
        Arm(f"start {s}", replace(REVIEW, start_seed=s, order_seed=s)) for s in STARTS
    ]
    words = replace(REVIEW, template=REVIEW_WORDS, lr=WORDS_RATE, order_seed=0)
    arms.append(Arm("start at words", words))
    return Study(
        "few_draws",
        "With 32 reviews: how much of the spread is the draw, how much the start?",
        tuple(replace(arm, lrs=(arm.job.lr,)) for arm in arms),
        seeds=DRAWS,
    )


def same_meaning() -> Study:
    """Return the study of word in context, with the controls that show what it used."""
    arms = [Arm("tuned", SAME)]
    arms += [Arm(name, replace(SAME, template=text)) for name, text in WITHOUT.items()]
    arms = [replace(arm, lrs=(BARE_RATE,)) for arm in arms]
    # As in the study `wording`, whose rows these are.
    untrained = replace(
        SAME, lr=None, steps=150, evaluate_every=25, choose_by="", dev_rows=200
    )
    untrained = replace(untrained, per_answer=None)
    for number, text in enumerate(load_task(SAME.task).prompts):
        arms.append(Arm(f"wording {number}", replace(untrained, template=text)))
    for name in ("majority", "naive Bayes"):
        arms.append(Arm(name, replace(untrained, control=name)))
    return Study(
        "same_meaning",
        "Does a word mean the same in two sentences: what does a tuned prompt use?",
        tuple(arms),
        seeds=(0, 1, 2),
    )


def other_tasks_studies() -> dict[str, Study]:
    """Return the studies of this module by name."""
    return {study.name: study for study in (few_draws(), same_meaning())}
