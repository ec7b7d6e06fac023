"""What is said of P-Tuning, beside what the stored studies found.

A line names a claim, who makes it, and the two arms whose comparison tests it. The
difference, its interval and the verdict are computed from the stored rows by the rule
of :mod:`ptlearn.studies.verdict`; with other rows they are others. A study whose runs
are not all there has no verdict.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..studies.settling import settling_results
from ..studies.staged import StagedStudy, is_complete
from ..studies.store import stored_folder
from ..studies.verdict import verdicts

NOT_RUN = "not run yet"
TASK_NAMES = {
    "city_country": "facts",
    "kind_of": "hypernyms",
    "movie_sentiment": "reviews",
    "topic": "topics",
}
"""What the course calls a task in a table: the name of its main study."""
TASKS = tuple(TASK_NAMES.values())
STARTS = ("starts_facts", "starts_hypernyms")


@dataclass(frozen=True)
class Said:
    """A claim, and the comparison that tests it.

    Attributes
    ----------
    claim, source : str
        Who says so: "v1" and "v2" are the versions of arXiv 2103.10385 of March 2021
        and October 2023.
    arm, baseline : str
        The runs support the claim where the arm is better than the baseline.
    studies : tuple of str
        Where it is asked; a study that lacks one of the two arms is passed over.
    """

    claim: str
    source: str
    arm: str
    baseline: str
    studies: tuple[str, ...] = TASKS


SAID = (
    Said(
        "P-Tuning (LSTM) beats the best wording", "v1, table 2", "LSTM", "best wording"
    ),
    Said("A bare table beats it, too", "Zhong et al. 2021", "bare", "best wording"),
    Said(
        "A bare table beats 8 demonstrations in the context",
        "asked by this course",
        "bare",
        "8 demonstrations",
    ),
    Said(
        "A bare table that starts at the best wording's words beats them",
        "asked by this course",
        "bare, words",
        "8 demonstrations",
    ),
    Said("An encoder helps: LSTM", "v1, section 3.2", "LSTM", "bare"),
    Said("An encoder helps: MLP", "asked in v2, table 8", "MLP", "bare"),
    Said(
        "An encoder helps: MLP with a skip connection",
        "Razdaibiedina et al. 2023",
        "residual MLP",
        "bare",
    ),
    Said(
        "The same, from the best wording's words",
        "Razdaibiedina et al. 2023",
        "residual MLP, words",
        "bare, words",
    ),
    Said(
        "Starting at the best wording's words ends higher",
        "Zhong et al. 2021",
        "bare, words",
        "bare",
    ),
    Said(
        "Starting at words sampled from the vocabulary ends higher",
        "Lester et al. 2021",
        "vocabulary sample",
        "bare",
        STARTS,
    ),
    Said(
        "Starting at the answers' words ends higher",
        "Lester et al. 2021",
        "answer words",
        "bare",
        STARTS,
    ),
    Said("Frozen words between virtual tokens help", "v2, section 2", "mixed", "bare"),
    Said(
        "The same, from words",
        "v2, section 2, and Zhong et al. 2021",
        "mixed, words",
        "bare, words",
    ),
    Said(
        "Virtual tokens around the input beat as many behind it",
        "asked by this course",
        "bare",
        "5 after",
        ("places",),
    ),
    Said(
        "More virtual tokens (behind the input) do better",
        "Lester et al. 2021",
        "16 after",
        "5 after",
        ("places",),
    ),
    Said(
        "A tuned score needs a model that knows something",
        "Zhong et al. 2021",
        "bare",
        "random weights",
        ("tuned_controls",),
    ),
    Said(
        "A tuned score needs true labels",
        "asked by this course",
        "bare",
        "shuffled labels",
        ("tuned_controls",),
    ),
)


def table(
    folder: str | Path | None = None, said: Iterable[Said] = SAID
) -> pd.DataFrame:
    """Judge each claim on each study that has its two arms.

    Parameters
    ----------
    folder : path, optional
        Where the rows lie; None: the stored ones.
    said : iterable of Said

    Returns
    -------
    DataFrame
        A line for each claim and study: ``claim``, ``source``, ``study``, ``task`` (by
        the name of its main study), ``contrast``, ``difference`` with its 95 % interval
        ``low`` and ``high`` and the 90 % interval ``low90`` and ``high90``, ``runs``,
        ``planned``, ``verdict``. The planned comparisons of a study are one family for
        Holm's correction, those that were added after the runs another. Where runs are
        missing, the numbers are NaN and the verdict says so.
    """
    studies = settling_results(folder or stored_folder())
    said = list(said)
    lines = [line for study, rows in studies for line in _judged(study, rows, said)]
    columns = ["claim", "source", "study", "task", "contrast", "difference", "low"]
    columns += ["high", "low90", "high90", "runs", "planned", "verdict"]
    frame = pd.DataFrame(lines, columns=columns)
    order = {one.claim: i for i, one in enumerate(said)}
    return frame.sort_values(
        "claim", key=lambda c: c.map(order), kind="stable", ignore_index=True
    )


def _judged(study: StagedStudy, rows: pd.DataFrame, said: list[Said]) -> Iterator[dict]:
    arms = {arm.name for arm in study.arms}
    here = [s for s in said if study.name in s.studies and {s.arm, s.baseline} <= arms]
    planned = set(study.contrasts)
    added = {(s.arm, s.baseline) for s in here} - planned
    found = {}
    if is_complete(study, rows):
        for family in filter(None, (study.contrasts, sorted(added))):
            judged = verdicts(rows, family, study.rule)
            for pair, line in zip(family, judged.to_dict("records"), strict=True):
                found[pair] = line
    for one in here:
        pair = (one.arm, one.baseline)
        yield {
            "claim": one.claim,
            "source": one.source,
            "study": study.name,
            "task": TASK_NAMES[study.arms[0].job.task],
            "contrast": " against ".join(pair),
            "planned": pair in planned,
            **found.get(pair, {"verdict": NOT_RUN}),
        }


def markdown(judged: pd.DataFrame) -> str:
    """Write what :func:`table` gave as a Markdown table, a line for each claim.

    Studies that are not run yet, and claims that only they would answer, are left out.
    """
    lines = [
        "| what is said | by whom | compared here | found |",
        "|---|---|---|---|",
    ]
    run = judged[judged["verdict"] != NOT_RUN]
    for (claim, source), group in run.groupby(["claim", "source"], sort=False):
        first = group.iloc[0]
        contrast = first["contrast"] + ("" if first["planned"] else " *")
        found = "<br>".join(map(_found, group.to_dict("records")))
        lines.append(f"| {claim} | {source} | {contrast} | {found} |")
    return "\n".join(lines)


def _found(line: dict) -> str:
    return (
        f"{line['study']}: **{line['verdict']}**, {line['difference']:+.3f}; 90 %: "
        f"[{line['low90']:+.3f}, {line['high90']:+.3f}], 95 %: "
        f"[{line['low']:+.3f}, {line['high']:+.3f}]; {line['runs']:.0f} runs"
    )
