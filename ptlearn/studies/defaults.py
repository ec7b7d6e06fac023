"""What ``fit`` takes where a user sets nothing, held to what the studies found.

The learning rate of each encoder comes from the tuning runs of four studies; two more
studies, on tasks that had no part in that, compare the defaults with the earlier ones.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from ..training.config import LEARNING_RATES, LONGEST_RUN
from .job import Job
from .settling import settling_studies
from .store import read_folder
from .study import Arm, Study

CHOSEN_ON = ("facts", "hypernyms", "reviews", "topics")
ENCODERS = {
    "bare": "none",
    "LSTM": "lstm",
    "MLP": "mlp",
    "residual MLP": "residual-mlp",
}
"""The arms that start at random, and their encoders."""
EARLIER_RATES = {"bare": 0.03, "LSTM": 0.001, "MLP": 0.001, "residual MLP": 0.001}
SHOWN_ON = ("antonym", "nationality")
"""Tasks that had no part in choosing the defaults."""
TEMPLATE = "[V:3] {subject} [V:3] {answer}"


def rate_regrets(folder: str | Path) -> pd.DataFrame:
    """Return how much each learning rate lost against the best one of its task.

    Parameters
    ----------
    folder : path
        Where the rows lie.

    Returns
    -------
    DataFrame
        A line for each study, arm and rate that was tried: study, arm, encoder, lr,
        dev_loss (mean over the tuning seeds, in nats, at the longest horizon that the
        rate was run to: a rate that was dropped early is judged a little too hard) and
        regret (dev_loss above that of the rate which the study chose).
    """
    rows, studies, lines = read_folder(folder), settling_studies(), []
    for name in CHOSEN_ON:
        study = studies[name]
        for arm in study.arms:
            if arm.name not in ENCODERS:
                continue
            search = study.search(arm, rows)
            if search.chosen is None:
                continue
            best = search.tried[search.chosen]
            lines += [
                {
                    "study": name,
                    "arm": arm.name,
                    "encoder": ENCODERS[arm.name],
                    "lr": lr,
                    "dev_loss": loss,
                    "regret": loss - best,
                }
                for lr, loss in sorted(search.tried.items())
            ]
    return pd.DataFrame(lines)


def best_for_all(regrets: pd.DataFrame) -> pd.Series:
    """Return each encoder's rate with the smallest worst regret, index encoder.

    Only a rate that every study has tried can be chosen.
    """
    worst = regrets.pivot_table(
        index=["encoder", "lr"], columns="study", values="regret"
    )
    worst = worst.dropna().max(axis=1)
    return worst.groupby("encoder").idxmin().map(lambda pair: pair[1])


def defaults_studies() -> dict[str, Study]:
    """Return the studies that compare ``fit``'s defaults with the earlier ones."""
    studies = [
        Study(
            f"defaults_{task}",
            f"Do fit's defaults beat the earlier ones? ({task})",
            tuple(arm for name in ENCODERS for arm in _now_and_before(task, name)),
            seeds=(0, 1, 2),
        )
        for task in SHOWN_ON
    ]
    return {study.name: study for study in studies}


def _now_and_before(task: str, name: str) -> tuple[Arm, Arm]:
    job = Job(task, TEMPLATE, encoder=ENCODERS[name])
    to_the_end = replace(job, steps=LONGEST_RUN, schedule="plateau")
    return (
        Arm(f"{name}, now", to_the_end, (LEARNING_RATES[job.encoder],)),
        Arm(f"{name}, before", job, (EARLIER_RATES[name],)),
    )
