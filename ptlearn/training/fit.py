"""Training a prompt: the call that learners and programs use."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import torch

from ..errors import TrainingError
from ..prompts.tuner import PromptTuner
from ..tasks.task import Task
from .config import TrainingConfig
from .history import History
from .run import TrainingRun


def fit(
    tuner: PromptTuner,
    task: Task,
    *,
    steps: int | None = TrainingConfig.steps,
    batch_size: int = TrainingConfig.batch_size,
    lr: float | None = TrainingConfig.lr,
    weight_decay: float = TrainingConfig.weight_decay,
    warmup: float = TrainingConfig.warmup,
    schedule: str | None = TrainingConfig.schedule,
    max_grad_norm: float = TrainingConfig.max_grad_norm,
    evaluate_every: int = TrainingConfig.evaluate_every,
    patience: int | None = TrainingConfig.patience,
    metric: str = TrainingConfig.metric,
    seed: int = TrainingConfig.seed,
    kv_cache_bytes: int = TrainingConfig.kv_cache_bytes,
    checkpoint_dir: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    callback: Callable[[PromptTuner, dict], bool | None] | None = None,
    progress: bool = True,
) -> History:
    """Train a tuner's virtual tokens on a task.

    The loss is minus the log-probability of the answer (Liu et al. 2021, section 3.2),
    summed over its tokens, over the full vocabulary, and averaged over examples. AdamW
    lowers it. The language model does not change. The tuner ends with the parameters of
    the best dev score, the earliest of equal ones; without a dev split, of the last
    step. The stop button of a notebook ends training, keeps the best and returns the
    history so far. Under ``accelerate launch`` several processes share each batch.

    Parameters
    ----------
    tuner : PromptTuner
    task : Task
        Its train split is learnt; its dev split, if there is one, chooses the step.
    steps : int or None
        Optimiser steps; with ``schedule="plateau"`` the most that are taken. None:
        until the dev loss no longer falls, and 300 at most (``schedule="plateau"``);
        150 where the task has no dev split.
    batch_size : int
        Examples in each step.
    lr : float or None
        Peak learning rate of AdamW; None takes ``LEARNING_RATES`` for the encoder.
    weight_decay : float
        AdamW's weight decay.
    warmup : float
        Share of the steps, in [0, 1), over which the rate rises to its peak.
    schedule : "linear", "plateau" or None
        The rate after warm-up. "linear": falls evenly to zero at the last step.
        "plateau": stays until three dev evaluations in a row have not lowered the dev
        loss by 0.01 nat, then falls to zero over 20 % of the steps so far, and the run
        ends. Needs a dev split. None: "linear" over the `steps` given; see there.
    max_grad_norm : float
        A longer gradient is scaled down to this norm.
    evaluate_every : int
        Steps between dev evaluations.
    patience : int or None
        Stop after this many dev evaluations without a better score; None: never.
    metric : "p_at_1", "accuracy" or "loss"
        What chooses the parameters to end with: a dev score, or the lowest dev loss
        (the ``dev_score`` of the history is then minus the dev loss).
    seed : int
        For the order of the examples and the encoder's dropout.
    kv_cache_bytes : int
        Memory for keys and values of frozen contexts that are kept between steps, in
        bytes; training and dev rows together. Contexts that do not fit are read anew
        at each step: slower, and the same numbers up to rounding.
    checkpoint_dir : path, optional
        Writes a checkpoint there at each dev evaluation.
    resume : bool
        Go on from the newest whole checkpoint there, if there is one. The table then
        ends bit for bit as that of a run that was not interrupted, on the same machine.
        All settings must be the same. Only a plateau run that ran out of steps can go
        on with more of them; its warm-up stays as it was.
    overwrite : bool
        Start over, and remove the checkpoints that are there.
    callback : callable, optional
        Called as ``callback(tuner, record)`` after each step, with the step's line of
        the history: to watch the prompt embeddings, say. If it returns True, the run
        ends there.
    progress : bool
        Show a bar with the loss and the best dev score.

    Returns
    -------
    History

    Raises
    ------
    DataError
        If the task has no train split, or lacks a column of the template.
    TrainingError
        If a setting is not allowed, a plateau schedule has no dev split, or the
        checkpoints in the folder belong to another run or may not be overwritten, or
        another process is training there.
    TrainingError
        If the loss, the gradient or a parameter is NaN or infinite, CUDA's memory is
        full, or a checkpoint cannot be written. The tuner then holds the last good
        parameters; the error's ``history`` says what happened up to there.
    """
    given = locals()
    config = TrainingConfig(**{f.name: given[f.name] for f in fields(TrainingConfig)})
    config = config.resolve(tuner.config.name, has_dev="dev" in task.splits)
    _check_checkpoint_options(checkpoint_dir, resume, overwrite)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)  # for dropout in the encoder
        run = TrainingRun(tuner, task, config)
        try:
            if checkpoint_dir is not None:
                run.use_checkpoints(checkpoint_dir, resume=resume, overwrite=overwrite)
            run.train(callback=callback, progress=progress)
        except KeyboardInterrupt:
            run.history.stopped = "interrupted"
        except torch.OutOfMemoryError as error:
            run.history.stopped = "out of memory"
            raise TrainingError(_out_of_memory(batch_size), run.history) from error
        finally:
            run.finish()
    return run.history


def _check_checkpoint_options(
    checkpoint_dir: str | Path | None, resume: bool, overwrite: bool
) -> None:
    if checkpoint_dir is None and (resume or overwrite):
        name = "resume" if resume else "overwrite"
        raise TrainingError(f"{name}=True needs a checkpoint_dir")
    if resume and overwrite:
        raise TrainingError(
            "resume=True goes on with the run in checkpoint_dir, overwrite=True "
            "removes it: give one of them"
        )


def _out_of_memory(batch_size: int) -> str:
    advice = f"try batch_size={batch_size // 2}"
    if batch_size == 1:
        advice = "use shorter texts or a smaller model"
    return f"the GPU's memory is full at batch_size={batch_size}; {advice}"
