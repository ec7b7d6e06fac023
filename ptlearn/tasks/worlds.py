"""A small invented world of people, towns and trades, of which we know everything.

Its text is written by a grammar (``data/worlds/grammar.py``), and small language
models were trained on that text alone: ``load_lm("world-causal")``, "world-masked" and
"world-causal-2m". A *known* fact stands in the text, in three of its relation's four
wordings. A *hidden* fact stands nowhere in it, so a model can only guess it. Of a real
language model nobody can tell the two apart.
"""

import json
from pathlib import Path

from ..errors import DataError
from .rows import did_you_mean
from .task import Task, data_dir

WORLD_MODELS = ("world-causal", "world-masked", "world-causal-2m")
"""Names that ``load_lm`` takes, and folders of ``data/worlds``."""
WORDINGS = {
    "trade": [
        "{subject} is a {answer}",
        "{subject} works as a {answer}",
        "by trade {subject} is a {answer}",
    ],
    "home": [
        "{subject} lives in {answer}",
        "the home of {subject} is {answer}",
        "{subject} comes from {answer}",
    ],
}
"""Wordings of the text that end in the answer; there a full stop follows."""
DESCRIPTIONS = {
    "trade": "the trade that a person works in",
    "home": "the town that a person lives in",
}


def world_dir() -> Path:
    """Return the folder of the world: its facts, its text and its models."""
    return data_dir() / "worlds"


def world_text() -> list[str]:
    """Return every sentence of the world's text: all that its models ever read."""
    text = (world_dir() / "sentences.txt").read_text(encoding="utf-8")
    return text.splitlines()


def world_task(relation: str = "trade", *, hidden: bool = False) -> Task:
    """Return the facts of a relation as a task: those in the text, or the others.

    Parameters
    ----------
    relation : "trade" or "home"
        What a person works as, or where they live.
    hidden : bool
        False: the known facts, split into train, dev and test. True: the hidden
        facts, split into train and test.

    Returns
    -------
    Task
        Column ``subject``. ``answers`` are all that the relation has in the world, the
        same for known and hidden facts; ``prompts`` are wordings of the text.

    Raises
    ------
    DataError
        If there is no such relation.
    """
    if relation not in WORDINGS:
        raise DataError(
            f"no relation of the world is called {relation!r}."
            f"{did_you_mean(str(relation), WORDINGS)} There are: {', '.join(WORDINGS)}."
        )
    splits: dict[str, list[dict]] = {}
    answers = set()
    for line in (world_dir() / "facts.jsonl").read_text(encoding="utf-8").splitlines():
        fact = json.loads(line)
        if fact["relation"] != relation:
            continue
        answers.add(fact["answer"])
        if fact["known"] != hidden:
            row = {"subject": fact["subject"], "answer": fact["answer"]}
            splits.setdefault(fact["split"], []).append(row)
    return Task.from_rows(
        **{"train": None} | splits,
        name=f"world, {'hidden' if hidden else 'known'} {relation}",
        answers=sorted(answers),
        prompts=WORDINGS[relation],
        description=DESCRIPTIONS[relation],
        licence="Apache-2.0",
    )
