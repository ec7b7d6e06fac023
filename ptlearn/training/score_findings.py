"""What losses and predictions say of a prompt, beside those of not reading the row."""

import math
from collections import Counter
from collections.abc import Sequence

from ..forward.answer_table import all_tokens
from ..prompts.prompt import Prompt
from ..prompts.tuner import PromptTuner
from .findings import LOOK, OK, Finding

HALF = 0.5
"""Share of the probability on the answers, above which they are known as answers."""
NEAR = 0.1
"""Nats within which a loss is called equal to a yardstick."""


def yardsticks(labels: Sequence[str]) -> tuple[float, float]:
    """Return two losses, in nats, of a model that does not read the row.

    Returns
    -------
    even : float
        If it gives each class the same probability: ln(number of classes).
    prior : float
        If it gives each class its share: the entropy of the labels.
    """
    counts = Counter(labels)
    shares = [count / len(labels) for count in counts.values()]
    return math.log(len(counts)), -sum(share * math.log(share) for share in shares)


def share_on_answers(prompted: Prompt | PromptTuner, rows: list[dict]) -> float:
    """Return how much of the probability falls on the first tokens of the labels."""
    labels = {row["answer"] for row in rows}
    first = sorted({prompted.tokens.answer_ids(label)[0] for label in labels})
    probabilities = all_tokens(prompted, rows, progress=False).exp()
    return probabilities[:, first].sum(dim=1).mean().item()


def level_finding(
    loss: float, rows: list[dict], split: str, on_answers: float
) -> Finding:
    """Say what a loss means beside the two yardsticks of its labels.

    Parameters
    ----------
    loss : float
        In nats a row.
    rows : list of dict
    split : str
        Where the rows come from.
    on_answers : float
        From :func:`share_on_answers`: why a loss is above both yardsticks.
    """
    even, prior = yardsticks([row["answer"] for row in rows])
    found = (
        f"{loss:.2f} nats on {len(rows)} {split} rows; the same probability for each "
        f"class would give {even:.2f}, the classes' shares {prior:.2f}; "
        f"{on_answers:.0%} of the probability falls on the answers' first tokens"
    )
    if loss > even + NEAR:
        return Finding(
            "loss",
            LOOK,
            found,
            "It does not yet know which words are answers: train, or train longer."
            if on_answers < HALF
            else "It knows the answers and is sure of wrong ones: see train and dev.",
        )
    if loss > prior - NEAR:
        return Finding(
            "loss",
            LOOK,
            found,
            "It knows the answers and nothing of the row. See fields, cut inputs and "
            "eight rows.",
        )
    return Finding("loss", OK, found)


def prediction_finding(predicted: list[str], rows: list[dict], split: str) -> Finding:
    """Compare what is predicted with what is right."""
    right = [row["answer"] for row in rows]
    hits = sum(p == r for p, r in zip(predicted, right, strict=True))
    most = Counter(right).most_common(1)[0][1]
    counts = ", ".join(f"{a} {n}" for a, n in Counter(predicted).most_common(4))
    found = (
        f"{hits} of {len(rows)} {split} rows are right; the commonest answer alone "
        f"would get {most}; predicted: {counts}"
    )
    if len(set(predicted)) == 1 < len(set(right)):
        remedy = "All rows get one answer: see fields, cut inputs and loss."
        return Finding("predictions", LOOK, found, remedy)
    if hits <= most:
        remedy = "No better than not reading the row."
        return Finding("predictions", LOOK, found, remedy)
    return Finding("predictions", OK, found)


def gap_finding(train: float, dev: float, rows: list[dict]) -> Finding:
    """Compare what was learnt by heart with what holds for other rows."""
    prior = yardsticks([row["answer"] for row in rows])[1]
    found = f"loss {train:.2f} on train rows, {dev:.2f} on dev rows"
    if train < prior - NEAR and dev > prior - NEAR:
        return Finding(
            "train and dev",
            LOOK,
            found,
            "What it learnt does not hold for other rows: wrong or shuffled labels, "
            "too few rows, or texts that do not reveal the label. Read twenty rows.",
        )
    return Finding("train and dev", OK, found)
