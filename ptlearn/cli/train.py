"""``ptlearn train``: a file of your own rows in, a prompt with its score out.

A run that was stopped lies in ``unfinished`` inside the output folder, and the same
command goes on with it. When it is done, the folder holds the prompt alone.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import PromptError, TrainingError
from ..files import sole_holder
from ..training.config import LONGEST_RUN, TrainingConfig
from .output import UNFINISHED, writing_to

if TYPE_CHECKING:
    from ..prompts.tuner import PromptTuner
    from ..tasks.task import Task
    from ..training.history import History

INTERRUPTED = 130
"""The exit code that a shell expects after Ctrl-C."""


def train(
    data: Annotated[Path, typer.Option(help="Your rows: .csv, .tsv, .jsonl or .json.")],
    template: Annotated[
        str,
        typer.Option(help='Such as "{text} [V:6] {answer}", with columns in braces.'),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the prompt.")],
    encoder: Annotated[
        str, typer.Option(help="none, mlp, lstm, residual-mlp or residual-lstm.")
    ] = "none",
    answer_column: Annotated[
        str, typer.Option(help="The column with the answers.")
    ] = "answer",
    dev_data: Annotated[
        Path | None,
        typer.Option(help="Rows to score on; by default some of yours are held out."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="RAW=WORD, such as 1=positive; once for each label."),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            help='normal, paper, vocabulary, answers or "words: some words"; by '
            "default the encoder's own."
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Training steps; by default until the dev loss no longer falls, and "
            f"{LONGEST_RUN} at most."
        ),
    ] = TrainingConfig.steps,
    lr: Annotated[
        float | None,
        typer.Option(help="Peak learning rate; by default the encoder's own."),
    ] = TrainingConfig.lr,
    batch_size: Annotated[
        int, typer.Option(help="Rows in each step.")
    ] = TrainingConfig.batch_size,
    schedule: Annotated[
        str | None,
        typer.Option(
            help="linear: the rate falls to the last step; plateau: the run ends once "
            "the dev loss has stopped falling, after --steps at the latest. By "
            "default linear with --steps, plateau without."
        ),
    ] = TrainingConfig.schedule,
    evaluate_every: Annotated[
        int, typer.Option(help="Steps between two looks at the dev rows.")
    ] = TrainingConfig.evaluate_every,
    patience: Annotated[
        int | None,
        typer.Option(help="Stop after so many looks without a better score."),
    ] = TrainingConfig.patience,
    metric: Annotated[
        str,
        typer.Option(
            help="The score that chooses the best step: p_at_1, accuracy or loss."
        ),
    ] = TrainingConfig.metric,
    seed: Annotated[
        int, typer.Option(help="Of the initial vectors and the order of rows.")
    ] = TrainingConfig.seed,
    model: Annotated[
        str, typer.Option(help="smollm2-135m, tiny, a Hub id or a folder.")
    ] = "smollm2-135m",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Train a prompt on your own rows.

    If it is stopped, the same command goes on from the last checkpoint.
    """
    from ..lm.load import load_lm
    from ..prompts.tuner import PromptTuner
    from ..templates.language import Template
    from .training_rows import read_task

    config = TrainingConfig(
        steps=steps,
        lr=lr,
        batch_size=batch_size,
        schedule=schedule,
        evaluate_every=evaluate_every,
        patience=patience,
        metric=metric,
        seed=seed,
    )
    labels = parse_labels(label or [])
    unfinished = out / UNFINISHED
    with only_training(out):
        if (out / "prompt.safetensors").exists() and not last_step(unfinished):
            raise PromptError(f"{out} holds a finished prompt: take another --out.")
        try:
            parsed = Template(template)
            task = read_task(data, dev_data, parsed, answer_column, labels)
            lm = load_lm(model, device=device)
            tuner = PromptTuner(
                lm, parsed, encoder=encoder, init=init, seed=seed, task=task
            )
            print(_describe_tuner(tuner))
            with writing_to(out, PromptError):
                out.mkdir(parents=True, exist_ok=True)
                history = train_or_resume(tuner, task, config, unfinished)
                save_and_score(tuner, task, history, out)
                shutil.rmtree(unfinished)
        except KeyboardInterrupt:
            step = last_step(unfinished)
            where = f"goes on from step {step}" if step else "starts again"
            print(f"\nStopped. The same command {where}.", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
    print(
        f"The prompt is in {out}. To use it:\n"
        f"  ptlearn predict --prompt {out} --data new.csv --out predictions.csv"
    )


@contextmanager
def only_training(out: Path) -> Iterator[None]:
    """Keep a second command from training into the same folder.

    Raises
    ------
    TrainingError
        If another process does.
    """
    with sole_holder(out) as alone:
        if not alone:
            raise TrainingError(
                f"another process is training into {out}: wait until it has ended, or "
                "take another --out."
            )
        yield


def parse_labels(pairs: list[str]) -> dict[str, str]:
    """Return ``["0=bad", "1=good"]`` as ``{"0": "bad", "1": "good"}``."""
    labels = {}
    for pair in pairs:
        raw, equals, word = pair.partition("=")
        if not (raw and equals and word.strip()):
            raise typer.BadParameter(
                f"{pair!r} is not RAW=WORD, such as 1=positive.", param_hint="--label"
            )
        if raw in labels:
            raise typer.BadParameter(
                f"{raw!r} is given two words.", param_hint="--label"
            )
        labels[raw] = word
    return labels


def last_step(unfinished: Path) -> int:
    """Return the step of the newest checkpoint in a folder; 0 if there is none."""
    from ..training.checkpoints import NAME

    names = [NAME.fullmatch(path.name) for path in unfinished.glob("*")]
    return max((int(name[1]) for name in names if name), default=0)


def _describe_tuner(tuner: "PromptTuner") -> str:
    return (
        f"Training {tuner.num_virtual_tokens} virtual tokens, encoder "
        f"{tuner.config.name}: {tuner.num_trainable():,} parameters; the "
        f"{tuner.lm.num_parameters():,} of {tuner.lm.name} stay as they are."
    )


def train_or_resume(
    tuner: "PromptTuner", task: "Task", config: TrainingConfig, unfinished: Path
) -> "History":
    """Train from the newest checkpoint on, if there is one.

    Raises
    ------
    TrainingError
        If the checkpoint belongs to another command, or training diverged.
    KeyboardInterrupt
        After Ctrl-C, with a checkpoint to go on from.
    """
    from ..training.fit import fit

    if step := last_step(unfinished):
        print(f"Going on from step {step}.")
    try:
        history = fit(
            tuner, task, checkpoint_dir=unfinished, resume=True, **vars(config)
        )
    except TrainingError as error:
        if error.history is None and step:  # refused before the first step
            raise TrainingError(
                f"{error}\nOn the command line: run the command that began this, take "
                f"another --out, or remove {unfinished}."
            ) from error
        if error.history is not None and error.history.stopped == "nan":
            # The same command would fail again, and another must not be refused.
            shutil.rmtree(unfinished)
        raise
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    return history


def save_and_score(
    tuner: "PromptTuner", task: "Task", history: "History", out: Path
) -> None:
    """Fold the prompt, save it and print its score on the test split."""
    from .scores import score_beside_controls

    prompt = tuner.fold()
    prompt.save(out)  # first: whatever the test rows hold, it is not lost
    print(
        f"Kept step {history.best_step}. Accuracy on {len(task.test)} rows, with 95 % "
        f"intervals:\n{score_beside_controls(prompt, task)}"
    )
