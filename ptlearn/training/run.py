"""One training run from the inside: its steps, from the first to the last."""

import hashlib
import math
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import is_initialized
from torch import Tensor
from tqdm.auto import tqdm

from ..errors import PromptError, TrainingError
from ..forward import scoring
from ..forward.batches import no_bar
from ..prompts.tuner import PromptTuner
from ..tasks.task import Task
from .batches import batch_order
from .checkpoints import Checkpoints
from .config import TrainingConfig
from .contexts import context_caches
from .dev import DevSplit
from .history import History
from .schedule import Schedule
from .state import RunState


class TrainingRun:
    """Takes a tuner through the steps of one call of :func:`ptlearn.fit`.

    Parameters
    ----------
    tuner : PromptTuner
    task : Task
    config : TrainingConfig
        Its learning rate is a number.

    Attributes
    ----------
    state : RunState
        What changes from step to step.
    """

    def __init__(self, tuner: PromptTuner, task: Task, config: TrainingConfig):
        self.tuner, self.config = tuner, config
        rows = scoring.as_rows(task.train)
        self.examples = [tuner.tokens.encode(row) for row in rows]
        self.accelerator = make_accelerator(tuner.lm.device)
        self.dev = DevSplit(tuner, task, config, self.accelerator)
        if config.schedule == "plateau" and not self.dev.rows:
            raise TrainingError(
                'schedule="plateau" watches the dev loss, and this task has no dev '
                'split: give it one, or use schedule="linear"'
            )
        tuner.answers = list(task.answers)
        tuner.train()
        optimizer = torch.optim.AdamW(
            tuner.parameters(),
            lr=config.lr,
            weight_decay=config.weight_decay,
            # One pass over millions of encoder weights instead of a dozen.
            fused=tuner.lm.device.type in ("cpu", "cuda"),
        )
        self.model, self.optimizer = self.accelerator.prepare(tuner, optimizer)
        self.state = RunState(tuner.encoder, optimizer, config.steps)
        self.checkpoints: Checkpoints | None = None

    @property
    def history(self) -> History:
        """What was recorded so far."""
        return self.state.history

    def use_checkpoints(
        self, folder: str | Path, *, resume: bool = False, overwrite: bool = False
    ) -> None:
        """Write checkpoints to a folder; go on from the newest one, or start over.

        Raises
        ------
        TrainingError
            If the folder holds checkpoints and neither is asked for, if they belong
            to another run, or if another process is training there.
        """
        self.checkpoints = Checkpoints(folder, self._identity())
        if self.accelerator.is_main_process:
            self.checkpoints.hold()
        if not (resume or overwrite):
            self.checkpoints.refuse_used_folder()
        if self.accelerator.is_main_process:
            self.checkpoints.remove_leftovers()
            if overwrite:
                self.checkpoints.clear()
        checkpoint = self.checkpoints.newest() if resume else None
        if checkpoint is not None:
            self.state.restore(checkpoint)

    def _identity(self) -> dict:
        """Everything that decides the numbers of the run."""
        config = dict(vars(self.config))
        if self.config.schedule == "plateau":
            del config["steps"]  # only says when to stop
        return config | {
            "template": self.tuner.template.text,
            "encoder": repr(self.tuner.config),
            "lm": self.tuner.lm.fingerprint,
            "products": str(self.tuner.lm.product_dtype),
            "start": _digest(self.tuner.parameters()),
            "rows": _digest(self.examples),
            "dev rows": _digest([*self.dev.examples, *self.dev.answers]),
        }

    def train(self, *, callback: Callable | None = None, progress: bool = True) -> None:
        """Take all steps that are left, with dev evaluations and checkpoints."""
        state, history = self.state, self.history
        self._prepare()
        lengths = [len(example.ids) for example in self.examples]
        order = batch_order(lengths, self.config.batch_size, self.config.seed)
        before = history.records[-1]["seconds"] if history.records else 0.0
        started = time.perf_counter() - before
        with self._progress_bar(progress) as bar:
            if state.step == 0:
                self._evaluate()
            for batch in islice(order, state.step, None):
                if reason := self._why_over():
                    history.stopped = reason
                    break
                record = {"step": state.step + 1} | self._take_step(batch)
                state.step += 1
                record["seconds"] = time.perf_counter() - started
                history.records.append(record)
                if self._is_evaluation_due():
                    record |= self._evaluate()
                    record["seconds"] = time.perf_counter() - started
                    self._save()
                best = history.best_score
                best = "none" if best is None else f"{best:.3f}"
                bar.set_postfix(loss=f"{record['loss']:.3f}", dev=best)
                bar.update()
                if callback is not None and callback(self.tuner, record):
                    history.stopped = "callback"
                    break

    def _prepare(self) -> None:
        """Set up what follows from the settings and from the steps already taken."""
        config, planned = self.config, self.state.planned_steps
        self.schedule = Schedule(config, planned)
        for record in self.history.records:
            if record.get("dev_loss") is not None:
                self.schedule.see(record["step"], record["dev_loss"])
        visits = planned * config.batch_size / len(self.examples)
        dev_visits = 1 + planned / config.evaluate_every
        caches = context_caches(
            {"train": (self.examples, visits), "dev": (self.dev.examples, dev_visits)},
            config.kv_cache_bytes,
            self.tuner._plan.bytes_per_token(),
        )
        self.context_cache, self.dev.context_cache = caches["train"], caches["dev"]

    def _progress_bar(self, progress: bool) -> tqdm:
        return tqdm(
            total=self.config.steps,
            initial=self.state.step,
            desc="training",
            disable=no_bar(progress and self.accelerator.is_main_process),
        )

    def _why_over(self) -> str | None:
        over = self.schedule.why_over(self.state.step)
        if over or self.config.patience is None:
            return over
        since = self.state.step - self.history.best_step
        most = self.config.patience * self.config.evaluate_every
        return "patience" if since >= most else None

    def _is_evaluation_due(self) -> bool:
        step = self.state.step
        return step % self.config.evaluate_every == 0 or step == self.schedule.last_step

    def _take_step(self, batch: list[int]) -> dict:
        """One optimiser step; each process takes its share of the batch."""
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        mine = [self.examples[i] for i in batch[rank::world]]
        # A process without an example still takes part in the exchange of gradients.
        weight = 1.0 if mine else 0.0
        log_probs = self.model(mine or [self.examples[batch[0]]], self.context_cache)
        loss = -weight * log_probs.sum() * world / len(batch)
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(
            self.tuner.parameters(), self.config.max_grad_norm
        )
        norm = float(norm)
        shared_loss = self.accelerator.reduce(loss.detach(), "mean").item()
        if not (math.isfinite(shared_loss) and math.isfinite(norm)):
            step = self.state.step + 1
            raise self._diverged(
                f"the loss is {shared_loss} and the gradient norm {norm} at step {step}"
            )
        rate = self.config.lr * self.schedule.share_of_peak(self.state.step)
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        return {"loss": shared_loss, "lr": rate, "grad_norm": norm}

    def _evaluate(self) -> dict:
        """Score dev, and keep the parameters if they are the best so far."""
        step = self.state.step
        # The last good state must be one, with or without a dev split.
        if not self._is_finite():
            raise self._diverged(f"the parameters are not finite after step {step}")
        try:
            score, loss = self.dev.evaluate()
        except PromptError as error:
            if step == 0:  # not for what training did
                raise
            raise self._diverged(
                f"the dev rows cannot be scored after step {step}: {error}"
            ) from error
        self.state.best.offer(step, score)
        if loss is not None:
            self.schedule.see(step, loss)
        return {"dev_score": score, "dev_loss": loss}

    def _is_finite(self) -> bool:
        return all(bool(p.isfinite().all()) for p in self.tuner.parameters())

    def _diverged(self, what: str) -> TrainingError:
        self.history.stopped = "nan"
        return TrainingError(
            f"{what}; the tuner keeps step {self.history.best_step}. A lower lr than "
            f"{self.config.lr:g} may help",
            self.history,
        )

    def _save(self) -> None:
        if not (self.checkpoints and self.accelerator.is_main_process):
            return
        try:
            self.checkpoints.save(self.state.to_checkpoint())
        except TrainingError as error:
            self.history.stopped = "no checkpoint"
            error.history = self.history
            raise

    def finish(self) -> None:
        """Leave the tuner with the best parameters, ready to be used."""
        if self.checkpoints:
            self.checkpoints.release()
        broken_off = self.history.stopped in ("callback", "interrupted")
        if broken_off and not self.dev.rows and self._is_finite():
            # Without dev rows the last step counts, wherever it was.
            self.state.best.offer(self.state.step, None)
        self.state.best.put_back()
        self.tuner.zero_grad()
        self.tuner.eval()


def make_accelerator(device: torch.device) -> Accelerator:
    """Return an Accelerator for a tuner that lies on ``device`` and stays there.

    Accelerate settles on one device for the whole Python process, refuses
    ``cpu=True`` after a GPU, and would move the tuner away from its language model.
    """
    cpu = device.type == "cpu" and not is_initialized()
    return Accelerator(cpu=cpu, device_placement=False)


def _digest(parts: Iterable) -> str:
    """Return what tells two starts, or two data sets, from each other."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            part = part.detach().cpu().flatten().view(torch.uint8).numpy()
        else:
            part = repr(part).encode()
        digest.update(part)
    return digest.hexdigest()[:16]
