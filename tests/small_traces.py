"""Traces of a second on the tiny model."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ptlearn.studies.mechanism_runs import run_experiment
from ptlearn.studies.mechanisms import Experiment
from ptlearn.studies.traces import Trace

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
