"""One training run from the inside: its steps, dev scores and checkpoints."""

import hashlib
import math
import time
from collections.abc import Iterator
from itertools import islice

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor
from tqdm.auto import tqdm

from ..errors import TrainingError
from ..evaluation.report import Report
from ..forward import scoring
from ..forward.kv_cache import ContextCache
from ..templates.tokenization import Example
from .checkpoints import Checkpoint, Checkpoints
from .config import TrainingConfig
from .history import History

READING_ALONE_COSTS = 32
"""Reading one context alone costs about as much as this many tokens in a batch."""


def batch_order(lengths: list[int], batch_size: int, seed: int) -> Iterator[list[int]]:
    """Batches of row numbers without end: every row once in each epoch.

    Rows are shuffled; then rows of like length among the next eight batches go
    together, so that little is padding. The order depends on the seed alone, so a
    resumed run skips what was done and meets the same batches.
    """
    epoch = 0
    while True:
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        order = torch.randperm(len(lengths), generator=generator).tolist()
        batches = []
        for start in range(0, len(order), 8 * batch_size):
            alike = sorted(
                order[start : start + 8 * batch_size], key=lengths.__getitem__
            )
            batches += [
                alike[i : i + batch_size] for i in range(0, len(alike), batch_size)
            ]
        for i in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[i]
        epoch += 1


def pays_to_keep(examples: list[Example], visits: float) -> bool:
    """Whether reading frozen contexts alone, once, saves time in a run.

    Read alone, a context costs a whole pass over the weights, however short it is;
    each later visit saves its tokens. The first visit saves nothing. A run that
    meets short rows once or twice is faster reading them with the rest. Only the
    settings and the rows decide, so that a resumed run decides alike.
    """
    frozen = [next((i for i, t in enumerate(e.ids) if t < 0), 0) for e in examples]
    saved = (visits - 1) * sum(frozen)
    return saved > READING_ALONE_COSTS * len(examples)


class TrainingRun:
    """The state of one run of ``training.fit``, and what is done to it."""

    def __init__(self, tuner, task, config: TrainingConfig, checkpoint_dir):
        self.tuner, self.task, self.config = tuner, task, config
        self.history, self.step = History(), 0
        task.check_columns(tuner.template.fields)
        rows = scoring.as_rows(task.train)
        self.examples = [tuner.tokens.encode(row) for row in rows]
        visits = config.steps * config.batch_size / max(1, len(self.examples))
        looks = 1 + config.steps / config.evaluate_every
        dev = scoring.as_rows(task.dev) if "dev" in task.splits else []
        dev = [tuner.tokens.encode(row) for row in dev]
        keep, keep_dev = pays_to_keep(self.examples, visits), pays_to_keep(dev, looks)
        self.context_cache = ContextCache(config.context_bytes) if keep else None
        self.dev_contexts = ContextCache(2**28) if keep_dev else None
        tuner.answers = list(task.answers)
        tuner.train()
        self.accelerator = Accelerator(cpu=tuner.lm.device.type == "cpu")
        self.optimizer = torch.optim.AdamW(
            tuner.parameters(),
            lr=config.lr,
            weight_decay=config.weight_decay,
            # One pass over millions of encoder weights instead of a dozen.
            fused=tuner.lm.device.type in ("cpu", "cuda"),
        )
        self.model, self.prepared = self.accelerator.prepare(tuner, self.optimizer)
        self.best = self._snapshot()
        self.checkpoints = None
        if checkpoint_dir is not None:
            # The rate depends on all the steps, so even their number must agree.
            about = {
                "template": tuner.template.text,
                "encoder": repr(tuner.config),
                "lm": tuner.lm.fingerprint,
                "start": self._digest(*self.best.values()),
                "rows": self._digest(self.examples),
            }
            settings = about | {k: v for k, v in vars(config).items()}
            del settings["context_bytes"]  # changes the speed and not one bit
            self.checkpoints = Checkpoints(checkpoint_dir, settings)

    @staticmethod
    def _digest(*parts) -> str:
        """What tells two starts, or two data sets, from each other."""
        digest = hashlib.sha256()
        for part in parts:
            whole = (
                part.cpu().numpy() if isinstance(part, Tensor) else repr(part).encode()
            )
            digest.update(whole)
        return digest.hexdigest()[:16]

    def _share_of_peak(self, step: int) -> float:
        """Linear warm-up from the first step on, then linear decay to zero."""
        warm = max(1, round(self.config.warmup * self.config.steps))
        if step < warm:
            return (step + 1) / warm
        return max(0.0, (self.config.steps - step) / max(1, self.config.steps - warm))

    def train(self, progress: bool) -> None:
        steps = self.config.steps
        lengths = [len(example.ids) for example in self.examples]
        order = batch_order(lengths, self.config.batch_size, self.config.seed)
        started = time.perf_counter() - self._seconds_so_far()
        show = progress and self.accelerator.is_main_process
        with tqdm(
            total=steps,
            initial=self.step,
            desc="training",
            disable=scoring.no_bar(show),
        ) as bar:
            if self.step == 0:
                self._evaluate()
            for batch in islice(order, self.step, steps):
                if self._out_of_patience():
                    self.history.stopped = "patience"
                    break
                record = self._train_on(batch)
                self.step += 1
                self.history.records.append({"step": self.step} | record)
                if self.step % self.config.evaluate_every == 0 or self.step == steps:
                    self.history.records[-1]["dev_score"] = self._evaluate()
                self.history.records[-1]["seconds"] = time.perf_counter() - started
                self._checkpoint()
                bar.set_postfix(loss=f"{record['loss']:.3f}", dev=self._shown_score())
                bar.update()

    def _train_on(self, batch: list[int]) -> dict:
        """One optimiser step; each process takes its share of the batch."""
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        mine = [self.examples[i] for i in batch[rank::world]]
        # A process without a row still takes part in the exchange of gradients.
        weight = 1.0 if mine else 0.0
        log_probs = self.model(mine or [self.examples[batch[0]]], self.context_cache)
        loss = -weight * log_probs.sum() * world / len(batch)
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(
            self.tuner.parameters(), self.config.max_grad_norm
        )
        shared_loss = self.accelerator.reduce(loss.detach(), "mean").item()
        self._refuse_non_finite(shared_loss, float(norm))
        rate = self.config.lr * self._share_of_peak(self.step)
        self.optimizer.param_groups[0]["lr"] = rate
        self.prepared.step()
        self.prepared.zero_grad()
        return {"loss": shared_loss, "lr": rate, "grad_norm": float(norm)}

    def _refuse_non_finite(self, loss: float, norm: float) -> None:
        if math.isfinite(loss) and math.isfinite(norm):
            return
        self.history.stopped = "nan"
        raise TrainingError(
            f"the loss is {loss} and the gradient norm {norm} at step {self.step + 1}; "
            f"the tuner keeps step {self.history.best_step}. A lower lr than "
            f"{self.config.lr:g} may help",
            self.history,
        )

    def _evaluate(self) -> float | None:
        """Score dev, and keep the parameters if they are the best so far."""
        score = None
        if "dev" in self.task.splits:
            found = torch.zeros(1, dtype=torch.float64, device=self.accelerator.device)
            if self.accelerator.is_main_process:
                rows = scoring.as_rows(self.task.dev)
                scores = scoring.score(
                    self.tuner,
                    rows,
                    self.task.answers,
                    batch_size=self.config.batch_size,
                    context_cache=self.dev_contexts,
                    progress=False,
                )
                report = Report.from_scores(rows, scores, "dev")
                found += getattr(report, self.config.metric)
            # The first process decides for all, or they could part ways by rounding.
            score = broadcast(found).item()
        best = self.history.best_score
        if score is None or best is None or score > best:
            self.history.best_score, self.history.best_step = score, self.step
            self.best = self._snapshot()
        return score

    def _out_of_patience(self) -> bool:
        if self.config.patience is None:
            return False
        since = self.step - self.history.best_step
        return since >= self.config.patience * self.config.evaluate_every

    def _snapshot(self) -> dict[str, Tensor]:
        state = self.tuner.encoder.state_dict()
        return {name: tensor.detach().clone() for name, tensor in state.items()}

    def keep_best(self) -> None:
        self.tuner.encoder.load_state_dict(self.best)
        self.tuner.zero_grad()
        self.tuner.eval()

    def _shown_score(self) -> str:
        best = self.history.best_score
        return "none" if best is None else f"{best:.3f}"

    def _seconds_so_far(self) -> float:
        return self.history.records[-1]["seconds"] if self.history.records else 0.0

    def _checkpoint(self) -> None:
        at_evaluation = self.history.records[-1].get("dev_score") is not None
        due = at_evaluation or self.step % self.config.evaluate_every == 0
        if not due or not self.checkpoints or not self.accelerator.is_main_process:
            return
        tensors = {f"best.{k}": v for k, v in self.best.items()}
        tensors |= {f"now.{k}": v for k, v in self.tuner.encoder.state_dict().items()}
        for i, parameter in enumerate(self.tuner.parameters()):
            for name, value in self.optimizer.state[parameter].items():
                tensors[f"optimizer.{i}.{name}"] = value
        tensors["random_state"] = torch.get_rng_state()
        if self.tuner.lm.device.type == "cuda":
            tensors["cuda_random_state"] = torch.cuda.get_rng_state()
        about = {"step": self.step, "history": vars(self.history)}
        self.checkpoints.save(Checkpoint(tensors, about))

    def restore(self) -> None:
        """Go on from the newest whole checkpoint, if there is one."""
        checkpoint = self.checkpoints.newest() if self.checkpoints else None
        if checkpoint is None:
            return
        self.step = checkpoint.about["step"]
        self.history = History(**checkpoint.about["history"])
        parts: dict[str, dict[str, Tensor]] = {"now": {}, "best": {}, "optimizer": {}}
        for key, tensor in checkpoint.tensors.items():
            part, _, name = key.partition(".")
            if part in parts:
                parts[part][name] = tensor.to(self.tuner.lm.device)
        self.tuner.encoder.load_state_dict(parts["now"])
        self.best = parts["best"]
        state: dict[int, dict] = {}
        for key, tensor in parts["optimizer"].items():
            number, _, name = key.partition(".")
            state.setdefault(int(number), {})[name] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        torch.set_rng_state(checkpoint.tensors["random_state"])
        if "cuda_random_state" in checkpoint.tensors:
            torch.cuda.set_rng_state(checkpoint.tensors["cuda_random_state"])
