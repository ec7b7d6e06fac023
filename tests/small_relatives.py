"""A small comparison of relatives on the tiny model, and rows made without a model."""

import random
from concurrent.futures import Executor, Future
from dataclasses import asdict

from ptlearn.relatives.catalogue import RelativesStudy
from ptlearn.relatives.trial import WITH_RATE, Trial

SHORT = {"steps": 4, "evaluate_every": 2, "test_rows": 12, "other_rows": 6}
STUDY = RelativesStudy(sizes=(8,), seeds=(1000, 1001, 1002)).on_model("tiny", **SHORT)
GOOD = {"full fine-tuning": 0.95, "LoRA": 0.9, "prompt tuning": 0.5}
BYTES = {"full fine-tuning": 540_000_000, "LoRA": 1_850_000}


def made_up(trial: Trial, rows: int = 200) -> dict:
    """A row as ``run_trial`` gives it; the best rate of every method is near 0.01."""
    share = GOOD.get(trial.method, 0.55)
    # Every seed has the same share, so that three of them make a narrow interval.
    hits = "".join(sorted("1" * round(share * rows) + "0" * round((1 - share) * rows)))
    hits = "".join(random.Random(trial.key).sample(hits, rows))
    scored = trial.score_test
    loss = abs((trial.lr or 0.01) ** 0.1 - 0.01**0.1) + 0.1
    changes = trial.method in ("prefix tuning", "LoRA", "full fine-tuning")
    trained = len(trial.method) if trial.method in WITH_RATE else 0
    return {
        "key": trial.key,
        "kind": "trial",
        **asdict(trial),
        "metric": trial.setting.metric,
        "error": "",
        "score": hits.count("1") / rows if scored else None,
        "test_hits": hits if scored else "",
        "test_correct": hits if scored else "",
        "other_hits": "010101" if changes and scored else "",
        "lowest_dev_loss": loss if trial.method in WITH_RATE else None,
        "trained": trained,
        "kept": trained,
        "bytes": BYTES.get(trial.method, 10_000),
        "peak_training_mb": 1500.0 if trial.method in WITH_RATE else None,
        "peak_mb": 1600.0,
        "seconds": 30.0,
    }


class MadeUpTrials(Executor):
    """Gives made-up rows at once, and keeps the trials in the order they came."""

    def __init__(self, most: int = 10_000):
        self.trials, self.beside, self.most = [], {}, most

    def submit(self, _, trial, *arguments):
        if len(self.trials) == self.most:
            raise KeyboardInterrupt
        self.trials.append(trial)
        self.beside[trial] = arguments
        future = Future()
        future.set_result(made_up(trial))
        return future
