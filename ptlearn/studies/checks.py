"""The checks of a stored row, each with its tolerance; faults are sentences.

Where a tolerance comes from is said in ``data/results/README.md``.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from ..errors import TrainingError
from ..evaluation.demonstrations import draw_demonstrations, with_demonstrations
from ..evaluation.report import Report, evaluate
from ..prompts.prompt import Prompt
from ..prompts.tuner import PromptTuner
from ..tasks.task import Task
from ..training.dev import EVALUATION_BATCH
from ..training.fit import fit
from .job import Job
from .prepare import arithmetic, prepared_lm, prepared_task
from .run import TableWatcher, make_tuner, run_job
from .store import load_table, table_path

FIRST_STEPS = {
    "loss": ("losses", (1e-4, 5e-3)),
    "gradient norm": ("grad_norms", (3e-3,)),
    "move": ("moves", (5e-3, 3e-2, 0.1)),
}
"""What is compared of the first steps: the field of a row, and the relative tolerance
of each step. The move is that of the prompt embeddings."""
NUM_FIRST_STEPS = 3
LENGTH_TOLERANCE = 1e-4
"""Relative, of the lengths of prompt embeddings."""
ROUNDING = 1e-4
"""Log-probabilities are stored with four decimals."""
LOG_PROB_TOLERANCE = 2e-3
"""Absolute, in nats, of a test row's answer."""
TIE = 2 * LOG_PROB_TOLERANCE
"""Two answers that lie no further apart may change places."""

COMPARED = (
    "error",
    "losses",
    "grad_norms",
    "moves",
    "dev_losses",
    "best_step",
    "score",
    "test_hits",
    "test_correct",
    "test_log_probs",
    "test_predictions",
)
"""What a whole run must give again."""


def beginning(row: dict, job: Job) -> list[str]:
    """Take the first steps of a job again and compare them with the stored ones.

    The first loss knows the start, the first rows, their answers and the template; the
    first move of the prompt embeddings is in proportion to the learning rate.
    """
    with arithmetic(row["threads"]):
        task = prepared_task(job)
        tuner = make_tuner(job, task)
        faults = _start(row, tuner)
        if faults:
            return faults
        steps, settings = _FirstSteps(tuner), job.training_settings()
        try:
            history = fit(tuner, task, callback=steps, progress=False, **settings)
        except TrainingError as error:
            if error.history is None or error.history.stopped != "nan":
                raise
            history = error.history
    found = {
        "losses": history.frame["loss"].tolist(),
        "grad_norms": history.frame["grad_norm"].tolist(),
        "moves": [float(move) for move in steps.moves],
    }
    return _first_fault(row, found)


class _FirstSteps(TableWatcher):
    """Ends a run after its first steps."""

    def __call__(self, tuner: PromptTuner, record: dict) -> bool:
        """Note the move of a step; True after the last one that is compared."""
        super().__call__(tuner, record)
        return len(self.moves) == NUM_FIRST_STEPS


def _start(row: dict, tuner: PromptTuner) -> list[str]:
    """Compare what is trained, and where it starts, before any step."""
    now = {
        "num_virtual_tokens": tuner.num_virtual_tokens,
        "num_trainable": tuner.num_trainable(),
        "init_used": tuner.init,
    }
    for name, found in now.items():
        if row[name] != found:
            return [f"{name} was {row[name]!r} and is {found!r}"]
    with torch.no_grad():
        lengths = tuner.prompt_embeddings().norm(dim=1)
    return _lengths("at the start", row["start_lengths"], lengths)


def _first_fault(row: dict, found: dict[str, list[float]]) -> list[str]:
    """Return the first fault of the first steps: what follows on it is false, too."""
    for step in range(min(NUM_FIRST_STEPS, len(row["losses"]))):
        for name, (field, tolerances) in FIRST_STEPS.items():
            if step >= len(tolerances):
                continue
            if step >= len(found[field]):
                return [f"training now fails in step {step + 1}"]
            was, is_ = row[field][step], found[field][step]
            if was is None and not math.isfinite(is_):  # JSON has no NaN
                continue
            if was is None or not math.isclose(was, is_, rel_tol=tolerances[step]):
                return [_of_step(step + 1, name, was, is_)]
    return []


def _of_step(step: int, name: str, was: float | None, is_: float) -> str:
    if was is None:
        return f"the {name} of step {step} was not finite and is {is_:.6g}"
    if name != "move":
        return f"the {name} of step {step} was {was:.6g} and is {is_:.6g}"
    return (
        f"step {step} moved the prompt embeddings by {was:.4g} (root mean square) and "
        f"moves them by {is_:.4g}: as with {was / is_:.3g} times the learning rate"
    )


def _lengths(when: str, stored: Sequence[float], found: torch.Tensor) -> list[str]:
    """Compare the lengths of prompt embeddings."""
    if len(stored) != len(found):
        return [f"there were {len(stored)} virtual tokens {when}, and are {len(found)}"]
    for number, (was, is_) in enumerate(zip(stored, found.tolist(), strict=True)):
        if not math.isclose(was, is_, rel_tol=LENGTH_TOLERANCE):
            return [
                f"virtual token {number} had the length {was:.6g} {when} and has "
                f"{is_:.6g}"
            ]
    return []


def has_table(row: dict, job: Job, folder: Path) -> bool:
    """Whether there is all that scoring a row again needs."""
    return not job.is_trained or table_path(folder, row["key"]).exists()


def scores(row: dict, job: Job, folder: Path) -> list[str]:
    """Score the stored prompt embeddings, or the wording, and compare row by row."""
    faults = _own_account(row)
    if faults:
        return faults
    with arithmetic(row["threads"]):
        task, lm = prepared_task(job), prepared_lm(job)
        if job.is_trained:
            table = load_table(folder, row["key"])
            faults = _lengths("at the end", row["end_lengths"], table.norm(dim=1))
            prompt = Prompt(lm, job.template, table)
        else:
            shown = draw_demonstrations(task, job.demonstrations, job.seed)
            prompt = Prompt(lm, with_demonstrations(job.template, shown))
        report = evaluate(prompt, task, batch_size=EVALUATION_BATCH, progress=False)
        faults += _log_probs(row, report)
        return faults or _choices(row, report, prompt, task)


def _own_account(row: dict) -> list[str]:
    """Return where a row contradicts itself."""
    hits, correct, log_probs = (
        row[name] for name in ("test_hits", "test_correct", "test_log_probs")
    )
    rows = len(hits)
    for name in ("test_correct", "test_log_probs", "test_predictions"):
        if len(row[name]) != rows:
            return [f"test_hits has {rows} test rows, and {name} {len(row[name])}"]
    shares = {
        "p_at_1": ("test_hits", hits.count("1") / rows),
        "accuracy": ("test_correct", correct.count("1") / rows),
        "loss": ("test_log_probs", -sum(log_probs) / rows),
    }
    told = {"p_at_1": "p_at_1", "accuracy": "accuracy", "score": row["metric"]}
    return [
        f"{name} says {row[name]:.6g} and {shares[metric][0]} gives "
        f"{shares[metric][1]:.6g}"
        for name, metric in told.items()
        if not math.isclose(row[name], shares[metric][1], abs_tol=ROUNDING)
    ]


def _log_probs(row: dict, report: Report) -> list[str]:
    stored, found = row["test_log_probs"], report.rows["log_prob"].tolist()
    if len(stored) != len(found):
        return [f"{len(stored)} test rows were scored, and there are {len(found)}"]
    apart = [abs(was - is_) for was, is_ in zip(stored, found, strict=True)]
    bad = [i for i, gap in enumerate(apart) if not gap <= LOG_PROB_TOLERANCE]
    if not bad:
        return []
    worst = max(bad, key=apart.__getitem__)
    return [
        f"{len(bad)} of {len(stored)} test rows have another log-probability: that of "
        f"row {worst} was {stored[worst]:.4f} and is {found[worst]:.4f}"
    ]


def _choices(row: dict, report: Report, prompt: Prompt, task: Task) -> list[str]:
    """Compare hits and predictions; only a tie may fall otherwise."""
    found = zip(report.rows["hit"], report.rows["predicted"], strict=True)
    faults = []
    for i, (line, (hit, predicted)) in enumerate(zip(task.test, found, strict=True)):
        was_hit, was_correct = row["test_hits"][i] == "1", row["test_correct"][i] == "1"
        was_predicted = row["test_predictions"][i]
        if was_correct != (was_predicted == line["answer"]):
            faults.append(
                f"test_correct says {was_correct} of row {i}, whose answer is "
                f"{line['answer']!r} and whose prediction was {was_predicted!r}"
            )
        if was_hit != hit and abs(hit_margin(prompt, line)) > TIE:
            was, is_ = ("a hit", "no hit") if was_hit else ("no hit", "a hit")
            faults.append(f"test row {i} was {was} and is {is_}")
        if was_predicted != predicted:
            both = [line | {"answer": a} for a in (was_predicted, predicted)]
            was, is_ = prompt.answer_log_probs(both).tolist()
            if is_ - was > TIE or was_predicted not in task.answers:
                faults.append(
                    f"the prediction of test row {i} was {was_predicted!r} and is "
                    f"{predicted!r}"
                )
    return faults


def hit_margin(prompt: Prompt, row: dict) -> float:
    """Return by how much the tokens of a row's answer beat all others, in logits.

    It is that of the token that does worst; below 0 the row is no hit.
    """
    logits = prompt.answer_logits([row])
    targets = torch.tensor(prompt.tokens.encode(row).targets).to(logits.device)[:, None]
    own = logits.gather(1, targets).squeeze(1)
    others = logits.scatter(1, targets, -math.inf).amax(1)
    return float((own - others).min())


def whole_run(row: dict, job: Job, folder: Path) -> list[str]:
    """Make a run again; every stored number must be the same, bit for bit."""
    again = run_job(job, row["threads"])
    table = again.pop("table", None)
    faults = []
    for name in COMPARED:
        if name in row and row[name] != again.get(name):
            faults.append(_first_difference(name, row[name], again.get(name)))
    compared = table is not None and has_table(row, job, folder)
    if compared and not torch.equal(load_table(folder, row["key"]), table):
        faults.append("in a whole run the prompt embeddings are not the stored ones")
    return faults


def _first_difference(name: str, stored, found) -> str:
    """Say where two values of a row part."""
    if isinstance(stored, list) and isinstance(found, list):
        if len(stored) != len(found):
            return f"{name} has {len(stored)} entries, and {len(found)} in a whole run"
        i = next(i for i, v in enumerate(stored) if v != found[i])
        name, stored, found = f"{name}[{i}]", stored[i], found[i]
    return f"in a whole run {name} was {stored!r} and is {found!r}"
