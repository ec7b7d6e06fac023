"""What a few passes and a few steps show: gradient, place of the loss, rate."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..errors import TrainingError
from ..prompts.tuner import PromptTuner
from ..tasks.sampling import draw_evenly
from ..tasks.task import Task
from .config import LEARNING_RATES, TrainingConfig
from .findings import FAIL, LOOK, OK, Finding
from .fit import fit
from .history import History

Loss = Callable[[PromptTuner, list[dict]], Tensor]
EIGHT, EIGHT_STEPS = 8, 30
LEARNT = 0.2
"""Loss on eight rows, in nats, below which they are learnt by heart."""
SAME_LOSS = 0.01
"""Relative difference of two ways to compute one loss that rounding may make."""
RISE = 0.5
"""Nats by which a dev loss that rises again says that the steps are too long."""
MOVE_PER_RATE = {
    "none": 1,
    "linear": 30,
    "mlp": 140,
    "lstm": 30,
    "residual-linear": 15,
    "residual-mlp": 16,
    "residual-lstm": 8,
}
"""How far one of Adam's steps moves a number of the table, divided by the rate:
measured, rounded (data/results/README.md, "Why"; the linear ones are guesses)."""
MUCH_LONGER = 20.0
"""Length of a vector, in lengths of a word's, from which it is a sign of long steps."""
HARDLY, FAR = 0.5, 500
"""Moves of the table, in standard deviations of the embeddings: hardly any, and one
that leaves nothing of the lengths that the model's layers know."""


def ordinary_loss(tuner: PromptTuner, rows: list[dict]) -> Tensor:
    """Compute the loss as ``fit`` does: minus the mean log-probability, in nats."""
    return -tuner([tuner.tokens.encode(row) for row in rows]).mean()


def drawn(task: Task, split: str, n: int) -> list[dict]:
    """Draw up to ``n`` rows of a split, so that each answer keeps its share."""
    rows = task.split(split)
    chosen = draw_evenly(list(rows["answer"]), min(n, len(rows)))
    return rows.select(chosen).to_list()


def gradient_findings(
    tuner: PromptTuner, rows: list[dict], loss: Loss
) -> Iterator[Finding]:
    """Yield whether each virtual token gets a gradient, and from the right place."""
    norms, value = gradient_norms(tuner, rows, loss)
    yield _gradient(norms)
    scored = -tuner.answer_log_probs(rows).mean().item()
    yield _place(value, scored)


def gradient_norms(
    tuner: PromptTuner, rows: list[dict], loss: Loss = ordinary_loss
) -> tuple[list[float], float]:
    """Return the norm of each virtual token's gradient, and the loss it belongs to.

    The gradient is that of the table that the encoder makes. It is zero where nothing
    of the loss depends on it.
    """
    held: list[Tensor] = []
    handle = tuner.encoder.register_forward_hook(lambda *call: held.append(call[2]))
    training = tuner.training
    tuner.train()
    try:
        value = loss(tuner, rows)
    finally:
        handle.remove()
        tuner.train(training)
    gradient = None
    if held and value.requires_grad and held[0].requires_grad:
        (gradient,) = torch.autograd.grad(value, [held[0]], allow_unused=True)
    if gradient is None:
        return [0.0] * tuner.num_virtual_tokens, value.item()
    return gradient.norm(dim=1).tolist(), value.item()


def _gradient(norms: list[float]) -> Finding:
    shown = ", ".join(f"{norm:.2g}" for norm in norms)
    found = f"norm for each virtual token: {shown}"
    silent = [str(i) for i, norm in enumerate(norms) if norm == 0]
    if len(silent) == len(norms):
        return Finding(
            "gradient",
            FAIL,
            found,
            "Nothing that is trained reaches the loss: look for detach(), .data, "
            "no_grad() or a copy of the table on the way.",
        )
    if silent:
        return Finding(
            "gradient",
            FAIL,
            found,
            f"Virtual token {', '.join(silent)} stands after the place where the loss "
            "is read: read it at the token before the answer.",
        )
    if not all(map(math.isfinite, norms)):
        return Finding("gradient", FAIL, found, "Begin again with a lower lr.")
    return Finding("gradient", OK, found)


def _place(trained_on: float, scored: float) -> Finding:
    found = (
        f"the loss of a training step is {trained_on:.3f} nats; scored in another way, "
        f"the same rows have {scored:.3f}"
    )
    if abs(trained_on - scored) > SAME_LOSS * max(1.0, abs(scored)):
        return Finding(
            "place of the loss",
            FAIL,
            found,
            "These must be equal: training reads the loss at another place, or of "
            "another token, than the answer. Look for a shift by one.",
        )
    return Finding("place of the loss", OK, found)


def eight_rows_finding(tuner: PromptTuner, task: Task, lr: float | None) -> Finding:
    """Try to learn eight rows by heart, and leave the tuner as it was."""
    lr = lr or LEARNING_RATES.get(tuner.config.name)
    loss = _learn_by_heart(tuner, task, lr)
    found = f"after {EIGHT_STEPS} steps at lr {lr:g} their loss is {loss:.2f} nats"
    if loss < LEARNT:
        return Finding("eight rows", OK, found)
    return Finding(
        "eight rows",
        LOOK,
        found,
        "Eight rows can be learnt by heart, whatever their labels. If no rate does it, "
        "look at gradient, place of the loss and fields.",
    )


def _learn_by_heart(tuner: PromptTuner, task: Task, lr: float | None) -> float:
    eight = task.with_rows(train=drawn(task, "train", EIGHT))
    eight.rows.pop("dev", None)
    before = {name: t.clone() for name, t in tuner.encoder.state_dict().items()}
    answers, training = tuner.answers, tuner.training
    try:
        history = fit(
            tuner, eight, steps=EIGHT_STEPS, batch_size=EIGHT, lr=lr, progress=False
        )
        return float(history.frame["loss"].tail(3).mean())
    except TrainingError as error:
        if error.history is None:
            raise
        return math.inf
    finally:
        tuner.encoder.load_state_dict(before)
        tuner.answers = answers
        tuner.train(training)


def relative_length(tuner: PromptTuner) -> float:
    """Return the mean length of the table's vectors, in mean lengths of a word's."""
    words = tuner.lm.model.get_input_embeddings().weight
    with torch.no_grad():
        lengths = tuner.prompt_embeddings().float().norm(dim=1)
        return (lengths.mean() / words.float().norm(dim=1).mean()).item()


def length_finding(tuner: PromptTuner) -> Finding:
    """Compare the lengths of the table's vectors with those of words."""
    times = relative_length(tuner)
    found = (
        f"vectors are {times:.1f} times as long as words' on average (a LOOK from "
        f"{MUCH_LONGER:g})"
    )
    if not math.isfinite(times):
        return Finding("table", FAIL, found, "Train again with a lower lr.")
    if times > MUCH_LONGER:
        return Finding(
            "table",
            LOOK,
            found,
            "No fault by itself. If the loss is bad too, try a rate three or ten times "
            "lower.",
        )
    return Finding("table", OK, found)


def rate_finding(tuner: PromptTuner, history: History) -> Finding:
    """Say whether the steps of a run were far too long or too short."""
    frame, encoder = history.frame, tuner.config.name
    dev = frame["dev_loss"].dropna()
    longest = TrainingConfig.max_grad_norm
    clipped = int((frame["grad_norm"] > longest).sum())
    reach = MOVE_PER_RATE.get(encoder, 1) * frame["lr"].sum()
    sigmas = reach / tuner.lm.embedding_std
    found = (
        f"peak lr {frame['lr'].max():g}: in {len(frame)} steps a number of the table "
        f"can move by about {float(f'{sigmas:.2g}'):,g} standard deviations of the "
        f"embeddings (a LOOK from {FAR}); "
    )
    if (frame["grad_norm"] == 0).all():
        found += "every gradient was zero"
        return Finding("rate", LOOK, found, "No rate helps: see gradient.")
    if sigmas < HARDLY:
        return Finding(
            "rate",
            FAIL,
            found + "that is hardly any",
            "Too cold: take a rate ten or a hundred times higher.",
        )
    rise = dev.iloc[-1] - dev.min() if len(dev) else 0.0
    first = frame["loss"].iloc[0]
    worse = frame["loss"].max() - first  # the first is that of the start
    found += f"{clipped} of {len(frame)} gradients were longer than {longest:g} and "
    found += "shortened to it; the dev loss "
    found += f"ended {rise:.2f} nats above its lowest" if len(dev) else "is not known"
    if sigmas > FAR or rise > RISE or worse > max(RISE, 0.5 * first):
        return Finding(
            "rate", LOOK, found, "Perhaps too hot: try one three or ten times lower."
        )
    return Finding("rate", OK, found)
