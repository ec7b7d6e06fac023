"""The studies that settle the verdicts: what is compared with what, as data.

All arms of a study have their virtual tokens in the same places, and each has its own
learning rate, searched for as ``staged`` says. The words that arms start from are those
of the wording with the best score on dev rows.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from .job import Job
from .nearest import WORDS as NEAREST_WORDS
from .rates import Protocol
from .staged import StagedStudy
from .store import read_folder
from .study import Arm, results_table

PLATEAU = {"schedule": "plateau", "evaluate_every": 20, "choose_by": "loss"}
CITY = Job("city_country", "[V:2] {subject}[V:3] {answer}", **PLATEAU)
CITY_WORDS = {"template": '[V:"City:"] {subject}[V:"\nCountry:"] {answer}'}
KIND = Job("kind_of", "[V:1] {subject}[V:4] {answer}", **PLATEAU)
KIND_WORDS = {"template": '[V:"A"] {subject}[V:" is a type of"] {answer}'}
CHOICE = {"metric": "accuracy", **PLATEAU}
REVIEW = Job("movie_sentiment", "{text}[V:4] {answer}", **CHOICE, few_rows=32)
REVIEW = replace(REVIEW, batch_size=8)
REVIEW_WORDS = {"template": '{text}[V:"\nSentiment:"] {answer}'}
TOPIC = Job("topic", "{text} [V:5] {answer}", **CHOICE)
TOPIC_WORDS = {"template": '{text} [V:"This describes a kind of"] {answer}'}

SHOTS = (4, 8, 16)
MAIN = (
    ("LSTM", "bare"),
    ("MLP", "bare"),
    ("residual MLP", "bare"),
    ("residual MLP, words", "bare, words"),
    ("bare, words", "bare"),
)
"""The contrasts of every main study: an encoder beside the same start without it."""
CROSS_VALIDATED = Protocol()
OWN_SPLIT = Protocol(tuning_fold=None, folds=(None,), seeds_per_fold=5)
FEW_SHOT = replace(OWN_SPLIT, tuning_seeds=(101, 102, 103, 104), seeds_per_fold=8)
MORE_DRAWS = replace(FEW_SHOT, seeds_per_fold=24, first_seed=2000)
"""Three times as many draws as ``FEW_SHOT``, none of them among those."""


def _arms(base: Job, named: dict[str, dict]) -> tuple[Arm, ...]:
    """Return arms by name, each with what differs from ``base``."""
    return tuple(Arm(name, replace(base, **own)) for name, own in named.items())


def _encoders(words: dict) -> dict[str, dict]:
    return {
        "bare": {},
        "bare, words": words,
        "residual MLP": {"encoder": "residual-mlp"},
        "residual MLP, words": words | {"encoder": "residual-mlp"},
        "LSTM": {"encoder": "lstm"},
        "MLP": {"encoder": "mlp"},
    }


def _baselines(wording: str, shots: tuple[int, ...] = SHOTS) -> dict[str, dict]:
    """Return the best wording, alone and after demonstrations."""
    shown = {
        f"{n} demonstrations": {"template": wording, "demonstrations": n} for n in shots
    }
    return {"best wording": {"template": wording}} | shown


def _facts() -> StagedStudy:
    mixed = {
        "mixed": {"template": "[V:2] City: {subject}[V:3]\nCountry: {answer}"},
        "mixed, words": {
            "template": '[V:"Question:"] City: {subject}[V:" is located in"]\n'
            "Country: {answer}"
        },
    }
    baselines = _baselines("City: {subject}\nCountry: {answer}")
    return StagedStudy(
        "facts",
        "Which country a city lies in: does an encoder help, do words, do mixed "
        "prompts?",
        _arms(CITY, _encoders(CITY_WORDS) | mixed | baselines),
        (
            *MAIN,
            ("mixed", "bare"),
            ("mixed, words", "bare, words"),
            ("bare", "8 demonstrations"),
        ),
        CROSS_VALIDATED,
    )


def _hypernyms() -> StagedStudy:
    mixed = {"mixed": {"template": "[V:1] A {subject}[V:4] is a type of {answer}"}}
    baselines = _baselines("A {subject} is a type of {answer}")
    return StagedStudy(
        "hypernyms",
        "What kind of thing a noun names: the same questions on balanced answers",
        _arms(KIND, _encoders(KIND_WORDS) | mixed | baselines),
        (*MAIN, ("mixed", "bare"), ("bare", "8 demonstrations")),
        OWN_SPLIT,
    )


def _reviews(name: str, question: str, protocol: Protocol) -> StagedStudy:
    mixed = {"mixed": {"template": "Review: {text}[V:4]\nSentiment: {answer}"}}
    baselines = _baselines("Review: {text}\nSentiment: {answer}")
    return StagedStudy(
        name,
        question,
        _arms(REVIEW, _encoders(REVIEW_WORDS) | mixed | baselines),
        (*MAIN, ("mixed", "bare"), ("bare", "8 demonstrations")),
        protocol,
    )


def _topics() -> StagedStudy:
    wording = 'A dictionary says: "{text}". This describes a kind of {answer}'
    return StagedStudy(
        "topics",
        "Which of eight classes a definition describes: the same questions",
        _arms(TOPIC, _encoders(TOPIC_WORDS) | _baselines(wording, (8,))),
        (*MAIN, ("bare", "8 demonstrations")),
        replace(OWN_SPLIT, seeds_per_fold=4),
    )


def _starts(task: str) -> dict[str, dict]:
    return {
        "N(0, 1)": {"init": "paper"},
        "vocabulary sample": {"init": "vocabulary"},
        "task words": {"init": "task"},
        "answer words": {"init": "answers"},
        "nearest words": {"init": f"words: {NEAREST_WORDS[task]}"},
    }


def _words(name: str, base: Job, words: dict, protocol: Protocol) -> StagedStudy:
    arms = {"bare": {}, "bare, words": words} | _starts(base.task)
    return StagedStudy(
        name,
        "Which vectors should virtual tokens start from?",
        _arms(base, arms),
        tuple((arm, "bare") for arm in arms if arm != "bare"),
        protocol,
    )


def _places() -> StagedStudy:
    after = {
        f"{n} after": {"template": f"{{subject}}[V:{n}] {{answer}}"}
        for n in (1, 2, 4, 5, 8, 16)
    }
    before = {"5 before": {"template": "[V:5] {subject} {answer}"}}
    others = [name for name in after | before if name != "5 after"]
    return StagedStudy(
        "places",
        "Where should virtual tokens stand, and how many?",
        _arms(CITY, {"bare": {}} | after | before),
        tuple((name, "5 after") for name in ["bare", *others]),
        CROSS_VALIDATED,
    )


def _controls() -> StagedStudy:
    tuned = {
        name: {"control": name}
        for name in ("random weights", "random embeddings", "shuffled labels")
    }
    guesses = {name: {"control": name} for name in ("majority", "naive Bayes")}
    return StagedStudy(
        "tuned_controls",
        "What can a tuned prompt score without any knowledge of the model?",
        _arms(CITY, {"bare": {}} | tuned | guesses),
        tuple(("bare", name) for name in tuned | guesses),
        CROSS_VALIDATED,
    )


def settling_studies() -> dict[str, StagedStudy]:
    """Return the staged studies by name, the most important first."""
    studies = (
        _facts(),
        _hypernyms(),
        _reviews(
            "reviews",
            "Movie reviews with 32 rows to learn from: the same questions",
            FEW_SHOT,
        ),
        _topics(),
        _words("starts_facts", CITY, CITY_WORDS, CROSS_VALIDATED),
        _words("starts_hypernyms", KIND, KIND_WORDS, OWN_SPLIT),
        _controls(),
        _places(),
        # Most of "reviews" was undecided: the same at the same rates, on new draws.
        _reviews(
            "reviews_again",
            "Movie reviews with 32 rows again, on 24 new draws of them",
            MORE_DRAWS,
        ),
    )
    return {study.name: study for study in studies}


def settling_results(
    folder: str | Path,
) -> Iterator[tuple[StagedStudy, pd.DataFrame]]:
    """Yield each staged study with its plan, and the table of its rows.

    Parameters
    ----------
    folder : path
        Where the rows lie.
    """
    rows = read_folder(folder)
    for study in settling_studies().values():
        study = study.in_folder(folder)
        yield study, results_table(study, rows)
