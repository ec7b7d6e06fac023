"""A clinic of prompts that do not learn: eight real runs, each with one fault.

A patient shows its symptoms: losses, gradient norms, lengths of what it reads, and
predictions. What is wrong with it is known to the clinic, and the letters are dealt out
anew for each seed.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd
from torch import Tensor

from ..prompts.tuner import PromptTuner
from ..tasks.task import Task, load_task
from ..templates.lengths import token_lengths
from ..training.fit import fit
from ..training.history import History
from ..training.learning_findings import gradient_norms, relative_length

if TYPE_CHECKING:
    from ..lm.language_model import LanguageModel

TEMPLATE = "{text}\nSentiment: [V:2] {answer}"
WITHOUT_FIELD = "Review\nSentiment: [V:2] {answer}"
LABELS, OTHER_WORDS = ("negative", "positive"), ("bad", "good")
TRAIN, DEV = 12, 12
WORDS = (4, 12)
STEPS, EVERY = 18, 6
RATE, HOT, COLD = 0.2, 30.0, 1e-5
CUT = 6
HIDDEN_SEED = 10
DIAGNOSES = {
    "rate too hot": "rate",
    "rate too cold": "rate",
    "loss at the wrong place": "place of the loss",
    "label never among the candidates": "answers",
    "input cut off": "cut inputs",
    "labels shuffled": "train and dev",
    "no gradient": "gradient",
    "template drops the field": "fields",
}
"""What a patient can have, and the check of ``training.diagnose`` that is about it."""
LOOK_AT = {
    "rate too hot": "training loss",
    "rate too cold": "training loss",
    "loss at the wrong place": "gradient norms",
    "label never among the candidates": "predictions",
    "input cut off": "tokens read",
    "labels shuffled": "dev loss beside the training loss",
    "no gradient": "gradient norms",
    "template drops the field": "tokens read",
}


class WrongPlace(PromptTuner):
    """A tuner whose training loss is read one token too early."""

    def forward(self, examples, context_cache=None) -> Tensor:
        """Return log-probabilities of the answers, one place before the right one."""
        early = [replace(e, first_target=e.first_target - 1) for e in examples]
        return super().forward(early, context_cache)


class NoGradient(PromptTuner):
    """A tuner that trains with a copy of its table, which nobody updates."""

    def prompt_embeddings(self) -> Tensor:
        """Return the table, cut off from its parameters in training."""
        table = super().prompt_embeddings()
        return table.detach().clone().requires_grad_() if self.training else table


class Last:
    """Keeps a run's last parameters: a sick prompt is shown as it ended."""

    def __call__(self, tuner: PromptTuner, record: dict) -> None:
        """Note the parameters after a step."""
        state = tuner.encoder.state_dict()
        self.tensors = {name: tensor.clone() for name, tensor in state.items()}

    def put_back(self, tuner: PromptTuner) -> None:
        """Give the tuner what was noted."""
        tuner.encoder.load_state_dict(self.tensors)


@dataclass(frozen=True)
class Patient:
    """One prompt that does not learn, with its symptoms.

    Attributes
    ----------
    tuner : PromptTuner
        After training.
    task : Task
        What it learnt from, and its dev rows.
    history : History
    gradient_norms : list of float
        Of each virtual token before the first step.
    candidates : list of str
        What its predictions are chosen from.
    predicted : list of str
        One for each dev row.
    lengths : list of int
        Tokens of each dev row as the model reads it.
    """

    tuner: PromptTuner
    task: Task
    history: History
    gradient_norms: list[float]
    candidates: list[str]
    predicted: list[str]
    lengths: list[int]
    _diagnosis: str = field(repr=False)

    @property
    def lengths_in_words(self) -> float:
        """Mean length of the vectors, in mean lengths of a word's."""
        return relative_length(self.tuner)

    @property
    def labels(self) -> list[str]:
        """The right answers of the dev rows."""
        return list(self.task.dev["answer"])

    def symptoms(self) -> dict[str, object]:
        """Return the symptoms as numbers, for a table."""
        frame = self.history.frame
        dev = frame.dropna(subset="dev_loss")
        looks = dev["step"].iloc[[0, -1]].tolist()
        right = sum(p == r for p, r in zip(self.predicted, self.labels, strict=True))
        commonest = max(map(self.predicted.count, self.predicted))
        return {
            "loss, first 3 steps": frame["loss"].iloc[:3].mean(),
            "loss, last 3 steps": frame["loss"].iloc[-3:].mean(),
            f"dev loss, step {looks[0]}": dev["dev_loss"].iloc[0],
            f"dev loss, step {looks[1]}": dev["dev_loss"].iloc[-1],
            "dev right": right / len(self.labels),
            "commonest prediction": commonest / len(self.labels),
            "vectors' length": self.lengths_in_words,
            "tokens read": f"{min(self.lengths)} to {max(self.lengths)}",
            "gradient norms": ", ".join(f"{norm:.1g}" for norm in self.gradient_norms),
        }


Ward = Mapping[str, Patient]


def admit(lm: "LanguageModel", *, steps: int = STEPS, deal: int = HIDDEN_SEED) -> Ward:
    """Train the eight prompts and return them by letter, as they were dealt out.

    Parameters
    ----------
    lm : LanguageModel
    steps : int
        Of each run, with a dev evaluation after every sixth.
    deal : int
        Another number gives the letters to other patients.

    Returns
    -------
    dict of str to Patient
        "A" to "H".
    """
    dealt = list(DIAGNOSES)
    random.Random(deal).shuffle(dealt)
    healthy = _rows()
    return {
        letter: _run(lm, healthy, diagnosis, steps)
        for letter, diagnosis in zip("ABCDEFGH", dealt, strict=True)
    }


def chart(ward: Ward) -> pd.DataFrame:
    """Return the symptoms of all patients as a table, a line for each letter."""
    lines = {letter: patient.symptoms() for letter, patient in ward.items()}
    return pd.DataFrame.from_dict(lines, orient="index")


def doctor_says(ward: Ward, *, eight_rows: bool = True) -> pd.DataFrame:
    """Return what ``training.diagnose`` says of each patient, beside what it has.

    Parameters
    ----------
    ward : dict of str to Patient
    eight_rows : bool
        Whether each tries to learn eight rows by heart.

    Returns
    -------
    DataFrame
        A line for each letter: ``it has``; ``FAIL`` and ``LOOK``, the checks that say
        so; ``about it``, the state of the check that is about its fault.
    """
    from ..training.diagnosis import diagnose

    lines = {}
    for letter, patient in ward.items():
        found = diagnose(
            patient.tuner,
            patient.task,
            patient.history,
            answers=patient.candidates,
            eight_rows=eight_rows,
        )
        states = dict(zip(found["check"], found["state"], strict=True))
        says = {
            state: ", ".join(check for check, of in states.items() if of == state)
            for state in ("FAIL", "LOOK")
        }
        about = states.get(DIAGNOSES[patient._diagnosis], "not looked at")
        lines[letter] = {"it has": patient._diagnosis, "about it": about} | says
    return pd.DataFrame.from_dict(lines, orient="index")


def _rows() -> Task:
    """Return short product reviews, half of them positive, for a run of seconds."""
    task = load_task("product_sentiment")
    rows = [
        row for row in task.train if WORDS[0] <= len(row["text"].split()) <= WORDS[1]
    ]
    drawn: dict[str, list[dict]] = {label: [] for label in LABELS}
    for row in rows:
        drawn[row["answer"]].append(dict(row))
    train, dev = TRAIN // 2, DEV // 2
    return Task.from_rows(
        [row for of in drawn.values() for row in of[:train]],
        [row for of in drawn.values() for row in of[train : train + dev]],
        name="reviews",
        answers=LABELS,
    )


def _run(lm: "LanguageModel", task: Task, diagnosis: str, steps: int) -> Patient:
    """Train one prompt with its fault, and note the symptoms."""
    kind, template, candidates = PromptTuner, TEMPLATE, list(LABELS)
    lr = {"rate too hot": HOT, "rate too cold": COLD}.get(diagnosis, RATE)
    if diagnosis == "loss at the wrong place":
        kind = WrongPlace
    elif diagnosis == "no gradient":
        kind = NoGradient
    elif diagnosis == "template drops the field":
        template = WITHOUT_FIELD
    elif diagnosis == "label never among the candidates":
        candidates = list(OTHER_WORDS)
    elif diagnosis == "input cut off":
        task = _cut(task)
    elif diagnosis == "labels shuffled":
        task = _shuffled(task)
    tuner = kind(lm, template, seed=0)
    norms, _ = gradient_norms(tuner, task.train.to_list()[:: TRAIN // 4])
    # Each step sees all rows, so that no curve jumps for another reason than its fault.
    settings = {"batch_size": TRAIN, "evaluate_every": EVERY, "metric": "loss"}
    settings["progress"], last = False, Last()
    history = fit(tuner, task, steps=steps, lr=lr, callback=last, **settings)
    last.put_back(tuner)
    rows = task.dev.to_list()
    return Patient(
        tuner=tuner,
        task=task,
        history=history,
        gradient_norms=norms,
        candidates=candidates,
        predicted=tuner.fold().predict(rows, candidates),
        lengths=token_lengths(lm, template, rows, candidates),
        _diagnosis=diagnosis,
    )


def _cut(task: Task) -> Task:
    splits = {name: task.split(name).to_list() for name in task.splits}
    return task.with_rows(
        **{
            name: [row | {"text": row["text"][:CUT]} for row in rows]
            for name, rows in splits.items()
        }
    )


def _shuffled(task: Task) -> Task:
    """Give half of the rows of each label the other one, so that labels say nothing."""
    other = dict(zip(LABELS, LABELS[::-1], strict=True))
    rows = sorted(task.train.to_list(), key=lambda row: row["answer"])
    mixed = [
        row | {"answer": other[row["answer"]]} if i % 2 else row
        for i, row in enumerate(rows)
    ]
    return task.with_rows(train=mixed)
