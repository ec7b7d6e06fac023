"""Traces of a second on the tiny model, and rows that are made without any model."""

import random
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, replace

from ptlearn.mechanisms.catalogue import Experiment
from ptlearn.mechanisms.lines import Line
from ptlearn.mechanisms.run import run_experiment
from ptlearn.mechanisms.traces import Trace

BARE = Trace(
    model="tiny",
    task="official_language",
    template='[V:"The"] {subject}[V:" speak"] {answer}',
    steps=6,
    warmup_steps=2,
    evaluate_every=3,
    batch_size=4,
    dev_rows=5,
)
EXPERIMENT = Experiment(
    "small",
    "Does the machinery work?",
    (
        ("bare", BARE),
        ("MLP", replace(BARE, encoder="mlp")),
        ("MLP, bare from 3", replace(BARE, encoder="mlp", switch_at=3, then="none")),
    ),
    lines=True,
    seeds=((0, 10, 20), (1, 11, 21)),
)


def run(experiment, folder, executor=None):
    """Run an experiment here, one trace at a time."""
    with executor or ThreadPoolExecutor(1) as executor:
        return run_experiment(experiment, folder, executor, progress=False)


def made_up(spec) -> dict:
    """A row as ``run_trace`` or ``run_line`` gives it; the same for the same spec."""
    draw = random.Random(spec.key).random
    if isinstance(spec, Line):
        losses = [1 + draw() + 2 * i * (20 - i) / 100 for i in range(21)]
        barrier = max(losses) - max(losses[0], losses[-1])
        found = {"losses": losses, "barrier": barrier, "distance": 0.1 + draw()}
        return {"key": spec.key, **asdict(spec), "error": "", **found}
    steps, fast = spec.steps, 0.01 * (1 + draw()) * (2 if spec.encoder != "none" else 1)
    losses = [1 + 10 * (1 - fast) ** i + 0.3 * draw() for i in range(steps)]
    looks = [0, *range(spec.evaluate_every, steps + 1, spec.evaluate_every)]
    close = 0.0 if spec.encoder == "none" or spec.cut else 0.7
    cosines = [[1.0 if i == j else close * draw() for j in range(5)] for i in range(5)]
    return {
        "key": spec.key,
        **asdict(spec),
        "error": "",
        "rates": [spec.move / (1 + 20 * draw())],
        "probe": {spec.encoder: {"lr": spec.move, "multiplier": 1 + 20 * draw()}},
        "losses": losses,
        "dev_losses": [[i, 1 + 10 * (1 - fast) ** i] for i in looks],
        "moves": [spec.move * (0.5 + draw()) for _ in range(steps)],
        "grad_norms": [draw() for _ in range(steps)],
        "descents": [draw() for _ in range(steps)],
        "couplings": [close * draw() for _ in range(steps)],
        "cosines": {str(s): cosines for s in (1, 20, 200) if s <= steps},
        "switch_gap": 0.0 if spec.switch_at else None,
        "start_lengths": [1 + 3 * draw() for _ in range(5)],
        "end_lengths": [4 + 3 * draw() for _ in range(5)],
        "tables": [[[draw()] * 4] * 5] * 2,
    }


class MadeUpTraces(Executor):
    """Gives made-up rows at once."""

    def submit(self, _, spec, *arguments):
        future = Future()
        future.set_result(made_up(spec))
        return future
