"""Running one trial: train or not, score, save, weigh; the row it leaves."""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import TrainingError
from ..evaluation.demonstrations import draw_demonstrations, with_demonstrations
from ..evaluation.report import Report, evaluate
from ..lm.language_model import LanguageModel
from ..lm.load import load_lm
from ..prompts.prompt import Prompt
from ..studies.prepare import arithmetic, processor_name
from ..studies.provenance import code_version, versions
from ..studies.run import hits_to_text
from ..tasks.task import load_task
from ..training.dev import EVALUATION_BATCH
from ..training.fit import fit
from .methods import make_tuner
from .probe import LinearProbe
from .trial import PROBE, PROMPTS, SETTINGS, SHOTS, UNTRAINED, Trial, trial_task

START = "ptlearn.relatives.record"
DIGITS = 6


def run_trial(trial: Trial, threads: int = 1, device: str = "cpu") -> dict[str, Any]:
    """Run a trial in this process and return its row.

    Parameters
    ----------
    trial : Trial
    threads : int
    device : str
        As in ``load_lm``. The memory that the row tells of is the process's alone, not
        a GPU's.

    Returns
    -------
    dict
        JSON types only. ``score`` by the task's metric; ``test_hits`` (strict P@1) and
        ``test_correct`` (best of the answers): a 1 or 0 for each test row, in order;
        a probe has no vocabulary, so its two are the same. ``other_hits``: the same of
        the other task's wording, read by the model as training left it. ``trained``:
        numbers trained. ``kept`` and ``bytes``: numbers kept for use, and what they
        take on disk, saved and measured. ``peak_training_mb`` and ``peak_mb``: the most
        memory this process has held, at the end of training and of the run.
        ``error``: why a run broke off, which then has no score.
    """
    started = time.perf_counter()
    with arithmetic(threads):
        lm = load_lm(trial.model, device=device)
        before = peak_mb()
        found = _runner(trial)(trial, lm)
    return {
        "key": trial.key,
        "kind": "trial",
        **asdict(trial),
        "metric": trial.setting.metric,
        "error": "",
        **found,
        "loaded_mb": before,
        "peak_mb": peak_mb(),
        "code": code_version(start=START),
        "versions": versions() | _peft_version(),
        "device": processor_name(lm),
        "threads": threads,
        "seconds": round(time.perf_counter() - started, 2),
    }


def peak_mb() -> float:
    """Return the most memory that this process has held, in MB of a million bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would begin a child's figure at what its parent held.
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def saved_bytes(save: Callable[[str], Any]) -> int:
    """Save into an empty folder and return the bytes of all files in it."""
    with tempfile.TemporaryDirectory() as folder:
        save(folder)
        files = (path for path in Path(folder).rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files)


def _runner(trial: Trial) -> Callable[[Trial, LanguageModel], dict]:
    if trial.method in UNTRAINED:
        return _untrained
    return _probe if trial.method == PROBE else _tuned


def untrained_prompt(trial: Trial, lm: LanguageModel) -> Prompt:
    """Return the wording of an untrained method, with its demonstrations."""
    task, wording = trial_task(trial), trial.setting.wording
    if trial.method == "8 demonstrations":
        shown = draw_demonstrations(task, SHOTS, trial.seed)
        wording = with_demonstrations(wording, shown)
    return Prompt(lm, wording, answers=task.answers)


def _untrained(trial: Trial, lm: LanguageModel) -> dict:
    prompt = untrained_prompt(trial, lm)
    report = evaluate(
        prompt, trial_task(trial), batch_size=EVALUATION_BATCH, progress=False
    )
    numbers = {"trained": 0, "kept": 0, "bytes": saved_bytes(prompt.save)}
    # No number of the model changes: what it says of the other task is told by the
    # other task's own wording.
    return _scores(report, trial) | numbers | {"other_hits": ""}


def _probe(trial: Trial, lm: LanguageModel) -> dict:
    task = trial_task(trial)
    probe = LinearProbe(lm, trial.setting.wording).fit(task)
    after = peak_mb()
    predicted = probe.predict(task.test)
    right = hits_to_text(
        p == a for p, a in zip(predicted, task.test["answer"], strict=True)
    )
    return {
        "score": right.count("1") / len(right),
        "test_hits": right,
        "test_correct": right,
        "strength": probe.strength,
        "lowest_dev_loss": round(probe.dev_loss, DIGITS),
        "trained": probe.num_trainable(),
        "kept": probe.num_trainable(),
        "bytes": saved_bytes(probe.save),
        "peak_training_mb": after,
        "other_hits": "",
    }


def _tuned(trial: Trial, lm: LanguageModel) -> dict:
    task = trial_task(trial)
    tuner = make_tuner(trial.method, lm, trial.setting, trial.seed)
    row = {"trained": tuner.num_trainable(), "score": None}
    row |= {"test_hits": "", "test_correct": "", "other_hits": ""}
    try:
        history = fit(
            tuner,
            task,
            steps=trial.steps,
            batch_size=trial.batch_size,
            lr=trial.lr,
            schedule="plateau",
            evaluate_every=trial.evaluate_every,
            metric="loss",
            seed=trial.seed,
            progress=False,
        )
    except TrainingError as error:
        if error.history is None or error.history.stopped != "nan":
            raise  # a full memory says nothing of the method
        return row | _curve(error.history) | {"error": str(error)}
    row |= _curve(history) | {"peak_training_mb": peak_mb()}
    if not trial.score_test:
        return row
    prompt = tuner.fold()
    report = evaluate(prompt, task, batch_size=EVALUATION_BATCH, progress=False)
    table = prompt.prompt_embeddings()
    row["kept"] = row["trained"] if table is None else table.numel()
    save = prompt.save if trial.method in PROMPTS else tuner.save
    row |= _scores(report, trial) | {"bytes": saved_bytes(save)}
    if trial.method not in PROMPTS:
        row["other_hits"] = _other_hits(trial, prompt.lm)
    return row


def _curve(history) -> dict:
    frame = history.frame
    looks = frame[frame["dev_loss"].notna()] if len(frame) else frame
    losses = [
        [int(step), round(float(loss), DIGITS)]
        for step, loss in zip(looks["step"], looks["dev_loss"], strict=True)
    ]
    return {
        "dev_losses": losses,
        "losses": [round(float(loss), DIGITS) for loss in frame["loss"]],
        "lowest_dev_loss": min((loss for _, loss in losses), default=None),
        "best_step": history.best_step,
        "steps_taken": len(frame),
        "stopped": history.stopped,
        "training_seconds": round(float(frame["seconds"].max()), 2)
        if len(frame)
        else 0.0,
    }


def _scores(report: Report, trial: Trial) -> dict:
    return {
        "score": getattr(report, trial.setting.metric),
        "test_hits": hits_to_text(report.rows["hit"]),
        "test_correct": hits_to_text(report.rows["correct"]),
    }


def _other_hits(trial: Trial, lm: LanguageModel) -> str:
    """Return what the changed model gets right of the other task, by its wording."""
    name = trial.setting.other
    other = load_task(name).head("test", trial.other_rows)
    prompt = Prompt(lm, SETTINGS[name].wording)
    report = evaluate(prompt, other, batch_size=EVALUATION_BATCH, progress=False)
    strict = SETTINGS[name].metric == "p_at_1"
    return hits_to_text(report.rows["hit" if strict else "correct"])


def _peft_version() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return {"peft": version("peft")}
    except PackageNotFoundError:
        return {}
