"""``ptlearn train``: a file of your own rows in, a prompt with its score out.

The command line only collects the options; what they mean is here. A run that was
stopped lies in ``unfinished`` inside the output folder and goes on with the same
command; when it is done, the folder holds the prompt and no trace of the stops.
"""

import json
import random
import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from ..errors import TrainingError
from ..evaluation.baselines import controls
from ..evaluation.report import Report, evaluate
from ..files import sha256, write_atomically
from ..lm.load import LanguageModel, load_lm
from ..prompts.prompt import Prompt
from ..prompts.tuner import PromptTuner
from ..tasks.task import Task
from ..templates.language import Answer, Field, Template, Text, VirtualWords, render
from ..training.checkpoints import NAME as CHECKPOINT_NAME
from ..training.config import TrainingConfig
from ..training.fit import fit
from ..training.history import History
from .predict import UNFINISHED, Interrupted, ShellError, errors_for_people

HELD_OUT = 0.2
"""Share of the rows that is not learnt where no dev data are given."""
MAX_CHOOSING, MAX_SCORING = 200, 500
"""Most rows that choose the step, and most held-out rows for the final score."""
MIN_ROWS = 20


@dataclass(frozen=True)
class TrainSettings:
    """What ``ptlearn train`` is asked for; an unfinished run is known by it."""

    data: Path
    template: str
    encoder: str = "none"
    answer_column: str = "answer"
    dev_data: Path | None = None
    labels: dict[str, str] = field(default_factory=dict)
    init: str | None = None
    steps: int = 150
    lr: float | None = None
    batch_size: int = 16
    seed: int = 0
    model: str = "smollm2-135m"
    device: str = "auto"
    metric: str = "accuracy"

    def identity(self) -> dict:
        """The settings with the files' content for their names."""
        about = asdict(self)
        for name in ("data", "dev_data"):
            path = about[name]
            about[name] = None if path is None else f"{Path(path).name}, {sha256(path)}"
        return about

    def for_fit(self) -> dict:
        """What of it goes to ``fit``."""
        names = ("steps", "lr", "batch_size", "seed", "metric")
        return {name: getattr(self, name) for name in names}


def train(settings: TrainSettings, out: Path) -> pd.DataFrame:
    """Train a prompt on a file of rows, save it in ``out`` and print its score.

    Returns
    -------
    DataFrame
        The score beside its controls, one line each: accuracy, low, high, n.

    Raises
    ------
    ShellError
        For options, data or folders that do not fit.
    Interrupted
        After Ctrl-C; ``out`` then holds what is needed to go on.
    """
    unfinished = out / UNFINISHED
    try:
        with errors_for_people():
            return _train(settings, out, unfinished)
    except KeyboardInterrupt:
        step = _last_step(unfinished)
        where = f"goes on from step {step}" if step else "starts again"
        raise Interrupted(f"stopped; the same command {where}") from None


def _train(settings: TrainSettings, out: Path, unfinished: Path) -> pd.DataFrame:
    template = Template(settings.template)
    task, about_split = read_task(settings, template)
    print(f"{_describe(task)}\n{about_split}")
    _refuse_other_run(out, unfinished, settings)
    lm = load_lm(settings.model, device=settings.device)
    tuner = _tuner(settings, lm, template, task)
    with write_atomically(unfinished / "run.json") as path:
        path.write_text(json.dumps(settings.identity(), indent=2), encoding="utf-8")
    history = _fit(tuner, task, settings, unfinished)
    prompt = tuner.fold()
    split = "test" if "test" in task.splits else "dev"
    table, report = score_beside_controls(prompt, task, split)
    print(_describe_score(table, report, history))
    # The folder goes last: until then the same command still goes on.
    prompt.save(out)
    shutil.rmtree(unfinished)
    print(
        f"The prompt is in {out}. To use it:\n"
        f"  ptlearn predict --prompt {out} --data new.csv --out predictions.csv"
    )
    return table


def read_task(settings: TrainSettings, template: Template) -> tuple[Task, str]:
    """The rows as a task with a dev split, and a sentence on where that came from."""
    if not template.fields:
        raise ShellError(
            f"the template {template.text!r} uses no column of the data: write one "
            "in braces, such as {text}"
        )
    task = Task.from_files(
        settings.data,
        settings.dev_data,
        name=settings.data.stem,
        answer_column=settings.answer_column,
        labels=settings.labels or None,
    )
    task.check_columns(template.fields)
    if len(task.answers) < 2:
        raise ShellError(f"all rows have the answer {task.answers[0]!r}")
    if settings.dev_data is not None:
        count, choosing = len(task.dev), min(len(task.dev), MAX_CHOOSING)
        return task, (
            f"{choosing} rows of {settings.dev_data.name} choose the best step and all "
            f"{count} give the final score, which is a little too good for that."
        )
    return _hold_out(task)


def _hold_out(task: Task) -> tuple[Task, str]:
    rows = task.train
    if len(rows) < MIN_ROWS:
        raise ShellError(
            f"{len(rows)} rows are too few to hold some out for the score "
            f"(at least {MIN_ROWS}): give --dev-data"
        )
    order = list(range(len(rows)))
    # Not by --seed: runs with different seeds must be scored on the same rows.
    random.Random(0).shuffle(order)
    half = round(HELD_OUT * len(rows) / 2)
    dev, order = order[: min(half, MAX_CHOOSING)], order[half:]
    test, order = order[: min(half, MAX_SCORING)], order[half:]
    split = {"train": order, "dev": dev, "test": test}
    split = {name: rows.select(sorted(chosen)) for name, chosen in split.items()}
    return task.with_rows(**split), (
        f"Without --dev-data, some rows are held out: {len(dev)} choose the best "
        f"step, {len(test)} others give the final score, {len(order)} are learnt."
    )


def _refuse_other_run(out: Path, unfinished: Path, settings: TrainSettings) -> None:
    """Go on only with what this very command began."""
    step, record = _last_step(unfinished), unfinished / "run.json"
    if not step:
        if (out / "prompt.json").exists():
            raise ShellError(f"{out} holds a finished prompt: take another --out")
        return
    before = json.loads(record.read_text(encoding="utf-8"))
    differing = [
        f"{name}: {before.get(name)!r} there, {value!r} here"
        for name, value in settings.identity().items()
        if before.get(name) != value
    ]
    if differing:
        raise ShellError(
            f"{unfinished} holds a run with other settings ({'; '.join(differing)}). "
            "Its own command goes on with it; for a new run take another --out, or "
            "remove that folder"
        )
    print(f"Going on from step {step} of {settings.steps}.")


def _last_step(unfinished: Path) -> int:
    names = [p.name for p in unfinished.glob("*")]
    steps = [int(m[1]) for m in map(CHECKPOINT_NAME.fullmatch, names) if m]
    return max(steps, default=0)


def _tuner(
    settings: TrainSettings, lm: LanguageModel, template: Template, task: Task
) -> PromptTuner:
    try:
        tuner = PromptTuner(
            lm,
            template,
            encoder=settings.encoder,
            init=settings.init,
            seed=settings.seed,
            task=task,
        )
        TrainingConfig(**settings.for_fit())  # a bad number is told before training
    except ValueError as error:
        raise ShellError(str(error)) from error
    print(
        f"Training {tuner.num_virtual_tokens} virtual tokens, encoder "
        f"{tuner.config.name}: {tuner.num_trainable():,} numbers; the "
        f"{lm.num_parameters():,} of {lm.name} stay as they are."
    )
    return tuner


def _fit(
    tuner: PromptTuner, task: Task, settings: TrainSettings, unfinished: Path
) -> History:
    try:
        history = fit(
            tuner,
            task.head("dev", MAX_CHOOSING),
            checkpoint_dir=unfinished,
            resume=True,
            **settings.for_fit(),
        )
    except TrainingError as error:
        if error.history and error.history.stopped == "nan":
            # The same command would fail again, and another must not be refused.
            shutil.rmtree(unfinished)
        raise
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    return history


def score_beside_controls(
    prompt: Prompt, task: Task, split: str
) -> tuple[pd.DataFrame, Report]:
    """A prompt's accuracy over what the task gives away without it."""
    words = without_virtual_tokens(prompt.template)
    tuned = evaluate(prompt, task, split=split)
    plain = evaluate(Prompt(prompt.lm, words), task, split=split)
    lines = {
        name: (report.accuracy, *report.accuracy_interval, report.n)
        for name, report in [("this prompt", tuned), ("its words alone", plain)]
    }
    table = pd.DataFrame.from_dict(
        lines, orient="index", columns=["accuracy", "low", "high", "n"]
    )
    return pd.concat([table, controls(task, prompt.lm, words, split=split)]), tuned


def without_virtual_tokens(template: Template) -> Template:
    """What of a template is left to read when nothing was trained."""
    kept = [
        Text(piece.words) if isinstance(piece, VirtualWords) else piece
        for piece in template.pieces
        if isinstance(piece, Text | Field | Answer | VirtualWords)
    ]
    return Template(re.sub(" {2,}", " ", render(kept)).strip())


def _describe(task: Task) -> str:
    counts = pd.Series(task.train["answer"]).value_counts()
    shown = ", ".join(f"{word} {n}" for word, n in counts.head(5).items())
    more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
    return f"{len(task.train)} rows to learn; answers: {shown}{more}."


def _describe_score(table: pd.DataFrame, report: Report, history: History) -> str:
    rows = "held-out rows" if report.split == "test" else "dev rows"
    return (
        f"Kept step {history.best_step}. On {report.n} {rows}, with 95 % intervals:\n"
        f"{table.drop(columns='n').to_string(float_format='{:.3f}'.format)}\n"
        f"P@1 over the whole vocabulary: {report.p_at_1:.3f}"
    )
