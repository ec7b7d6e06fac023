"""Training the prompt.

AdamW with warm-up and linear decay, gradient clipping, the best dev score kept, and a
checkpoint from which a killed run goes on to the same bits. Through Accelerate the same
loop, in ``training_run.py``, runs on several GPUs or machines.
"""

from dataclasses import replace
from pathlib import Path

import torch

from ..errors import TrainingError
from ..prompts.tuner import PromptTuner
from ..tasks.task import Task
from .config import LEARNING_RATES, TrainingConfig
from .history import History
from .run import TrainingRun


def fit(
    tuner: PromptTuner,
    task: Task,
    *,
    checkpoint_dir: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    **settings,
) -> History:
    """Train a tuner's virtual tokens on a task.

    The loss is minus the log-probability of the answer, summed over its tokens and
    over the full vocabulary, and averaged over examples. The language model does not
    change. The tuner ends with the parameters of the best dev score, the earliest of
    equal ones; without a dev split, of the last step. The stop button of a notebook
    ends training, keeps the best and returns the history so far.

    Parameters
    ----------
    tuner : PromptTuner
    task : Task
        Its train split is learnt; its dev split, if there is one, chooses the step.
    checkpoint_dir : path, optional
        Writes a checkpoint there at each dev evaluation.
    resume : bool
        Go on from the newest whole checkpoint there. The table then ends bit for bit
        as that of a run that was not interrupted, on the same machine.
    progress : bool
        Show a bar with the loss and the dev score.
    steps, batch_size, seed : int
        Optimiser steps (150), examples in each (16), seed of their order (0).
    lr : float or None
        Peak learning rate; None takes ``LEARNING_RATES[encoder]``.
    weight_decay, warmup, max_grad_norm : float
        AdamW's decay (0), share of steps with rising rate (0.1), clipping (1.0).
    evaluate_every : int
        Steps between dev evaluations (25).
    patience : int or None
        Stop after so many dev evaluations without a better score (None: never).
    metric : "p_at_1" or "accuracy"
        Which dev score chooses.
    context_bytes : int
        Memory for keys and values of frozen contexts (1 GiB), see ``plan.py``.

    Returns
    -------
    History

    Raises
    ------
    DataError
        If the task has no train split.
    TrainingError
        If the loss is NaN or infinite, or CUDA's memory is full; the tuner then holds
        the last good parameters.
    TrainingError
        If the checkpoint belongs to a run with other settings.
    """
    config = TrainingConfig(**settings)
    if config.lr is None:
        config = replace(config, lr=LEARNING_RATES[tuner.config.name])
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)  # for dropout in the encoder
        run = TrainingRun(tuner, task, config, checkpoint_dir)
        if resume:
            run.restore()
        try:
            run.train(progress)
        except KeyboardInterrupt:
            run.history.stopped = "interrupted"
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"the GPU's memory is full at batch_size={config.batch_size}; "
                f"try batch_size={max(1, config.batch_size // 2)}",
                run.history,
            ) from error
        finally:
            run.keep_best()
    return run.history
