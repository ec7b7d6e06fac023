"""Running a trace: a training loop that records how the prompt table moves.

``fit`` trains one tuner from start to end. The experiments on what an encoder does
need more: the moves of single virtual tokens, another encoder from some step on, or the
direction of one encoder with the step length of another. So this is a small training
loop of its own, with the loss, the batches and the clipping of ``fit``, and a rate that
is constant after a short warm-up.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from typing import Any

from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from ..studies.prepare import arithmetic
from ..studies.provenance import code_version, versions
from .movers import Graft, Mover, root_mean_square
from .traces import Surface, Trace, encoder_of, start_table

START = "ptlearn.mechanisms.recording"
"""The module that the version of the code begins with; see ``provenance``."""
PROBE_STEPS = 4
PROBE_RATES = {"adam": 1e-5, "sgd": 1e-2}
"""Where the search for a rate begins: so low that the table hardly moves."""
MATCH_OVER = 10
"""A switch goes on with the mean move of so many steps before it."""
COSINE_STEPS = (1, 20, 200)


class Rates:
    """Finds the rate at which an encoder moves the table as far as is asked.

    Parameters
    ----------
    trace, surface
    table : Tensor, shape (num_virtual_tokens, token_dim)
        Where the probed steps start.
    move : float
        Root-mean-square move a coordinate and step.
    batches : list
        The batches of the probed steps.

    Attributes
    ----------
    found : dict
        The rate and the multiplier (move over rate) of each encoder that was probed.
    """

    def __init__(self, trace, surface, table, move: float, batches: list):
        self.trace, self.surface, self.table = trace, surface, table
        self.move, self.batches = move, batches
        self.found: dict[str, dict[str, float]] = {}

    def mover(self, kind: str) -> Mover:
        """Return a new mover of this kind, at its rate or at that of ``rate_of``."""
        return self._make(kind)(self._matched(self.trace.rate_of or kind))

    def _make(self, kind: str) -> Callable[[float], Mover]:
        trace = self.trace
        return lambda lr: Mover(
            encoder_of(trace, self.surface, kind, self.table),
            trace.optimizer,
            lr,
            trace.max_grad_norm,
        )

    def _matched(self, kind: str) -> float:
        if kind not in self.found:
            lr, multiplier = PROBE_RATES[self.trace.optimizer], 0.0
            for _ in range(2):  # once far below the rate, once near it
                measured = self._probe(self._make(kind)(lr)) / lr
                if not 0 < measured < math.inf:
                    break  # so hot that the loss is not finite: the trace will say so
                multiplier, lr = measured, self.move / measured
            self.found[kind] = {"lr": short(lr), "multiplier": short(multiplier)}
        return self.found[kind]["lr"]

    def _probe(self, mover: Mover) -> float:
        """Return the mean move of a few steps."""
        moves, table = [], mover.table()
        for batch in self.batches:
            mover.step(self.surface.loss_and_gradient(table, batch)[1])
            after = mover.table()
            moves.append(root_mean_square(after - table))
            table = after
        return sum(moves) / len(moves)


def run_trace(trace: Trace, threads: int = 1) -> dict[str, Any]:
    """Run a trace in this process and return its row.

    Returns
    -------
    dict
        JSON types only: the key, the settings, and what :class:`Record` lists;
        ``tables``: the first and the last table, as lists. A run whose loss was not
        finite ends there and says so in ``error``.
    """
    started = time.perf_counter()
    with arithmetic(threads):
        surface = Surface(trace)
        found = train(trace, surface)
    return {
        "key": trace.key,
        **asdict(trace),
        **found,
        "code": code_version(start=START),
        "versions": versions(),
        "device": surface.device_name,
        "threads": threads,
        "seconds": round(time.perf_counter() - started, 2),
    }


def train(trace: Trace, surface: Surface) -> dict[str, Any]:
    """Take a trace's steps and return what was recorded."""
    first = list(islice(surface.batches(trace), PROBE_STEPS))
    start = start_table(trace, surface)
    rates = Rates(trace, surface, start, trace.move, first)
    mover = _walker(rates, trace.encoder, trace.length_of)
    record, began = Record(trace, surface, mover), 0
    batches = surface.batches(trace)
    for step in range(1, trace.steps + 1):
        if trace.switch_at and step == trace.switch_at + 1:
            mover = _switched(trace, surface, record)
            began = trace.switch_at
        loss, gradient = surface.loss_and_gradient(record.table, next(batches))
        share = min(1.0, (step - began) / trace.warmup_steps)
        norm = mover.step(gradient, share)
        record.take(step, mover.table(), loss, gradient, norm)
        if record.error:
            break
    return record.row() | {"probe": rates.found}


def _walker(rates: Rates, kind: str, length_of: str = "") -> Mover | Graft:
    mover = rates.mover(kind)
    if not length_of:
        return mover
    # A bare table that lends its length starts where the other does.
    rates.table = mover.table()
    other = rates.mover(length_of)
    return Graft(mover, other, length_is_bare=length_of == "none")


def _switched(trace: Trace, surface: Surface, record: "Record") -> Mover:
    """Fold the table and return the mover that goes on from it."""
    recent = record.moves[-MATCH_OVER:]
    batches = list(islice(surface.batches(trace), PROBE_STEPS))
    move = sum(recent) / len(recent)
    mover = Rates(trace, surface, record.table, move, batches).mover(trace.then)
    record.note_switch(mover)
    return mover


class Record:
    """What is noted of a trace.

    Attributes
    ----------
    table : Tensor, shape (num_virtual_tokens, token_dim)
        Where the trace stands.
    losses : list of float
        Of each step's batch, before the step.
    dev_losses : list of [step, float]
        Step 0 is the start.
    moves : list of float
        Root-mean-square move a coordinate of each step.
    grad_norms : list of float
        Of the encoder's parameters, before clipping.
    descents : list of float
        Cosine between each move and the negative gradient at the table: 1 is straight
        down.
    couplings : list of float
        Mean cosine between the moves of two different virtual tokens.
    cosines : dict of step to (num_virtual_tokens, num_virtual_tokens)
        Cosines between the moves of the virtual tokens, at ``COSINE_STEPS``.
    """

    def __init__(self, trace: Trace, surface: Surface, mover: Mover | Graft):
        self.trace, self.surface = trace, surface
        self.start = self.table = mover.table()
        self.rates = [mover.lr]
        self.losses, self.moves, self.grad_norms = [], [], []
        self.descents, self.couplings, self.cosines = [], [], {}
        self.dev_losses = [[0, surface.dev_loss(self.table)]]
        self.switch_gap: float | None = None
        self.error = ""

    def take(self, step, table: Tensor, loss: float, gradient: Tensor, norm: float):
        """Note a step that led to ``table``."""
        if not (math.isfinite(loss) and table.isfinite().all()):
            self.error = f"the loss is {loss} at step {step}: it or the table diverged"
            return
        move, self.table = table - self.table, table
        cosines = move_cosines(move)
        self.losses.append(loss)
        self.moves.append(root_mean_square(move))
        self.grad_norms.append(norm)
        down = cosine_similarity(move.flatten(), -gradient.flatten(), dim=0)
        self.descents.append(float(down))
        self.couplings.append(mean_coupling(cosines))
        if step in COSINE_STEPS:
            self.cosines[str(step)] = [[short(c) for c in line] for line in cosines]
        if step % self.trace.evaluate_every == 0 or step == self.trace.steps:
            dev_loss = self.surface.dev_loss(table)
            if math.isfinite(dev_loss):
                self.dev_losses.append([step, dev_loss])
            else:
                self.error = f"the dev loss is {dev_loss} after step {step}"

    def note_switch(self, mover: Mover) -> None:
        """Note by how much a switch changes the dev loss (nats), and the new rate."""
        before = self.surface.dev_loss(self.table)
        self.switch_gap = self.surface.dev_loss(mover.table()) - before
        self.rates.append(mover.lr)

    def row(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        named = ("losses", "moves", "grad_norms", "descents", "couplings")
        return {
            "error": self.error,
            "rates": self.rates,
            "num_virtual_tokens": len(self.table),
            **{name: [short(v) for v in getattr(self, name)] for name in named},
            "dev_losses": [[step, short(loss)] for step, loss in self.dev_losses],
            "cosines": self.cosines,
            "switch_gap": self.switch_gap,
            "start_lengths": [short(v) for v in self.start.norm(dim=1).tolist()],
            "end_lengths": [short(v) for v in self.table.norm(dim=1).tolist()],
            "tables": [self.start.tolist(), self.table.tolist()],
        }


def move_cosines(move: Tensor) -> list[list[float]]:
    """Return the cosines between the moves of the virtual tokens.

    Parameters
    ----------
    move : Tensor, shape (num_virtual_tokens, token_dim)

    Returns
    -------
    list, (num_virtual_tokens, num_virtual_tokens)
        In [-1, 1]; 0 for a vector that did not move.
    """
    moves = normalize(move.double())
    return (moves @ moves.T).clamp(-1, 1).tolist()


def mean_coupling(cosines: list[list[float]]) -> float:
    """Return the mean cosine of two different virtual tokens; 0 if there is but one."""
    count = len(cosines)
    if count < 2:
        return 0.0
    own = sum(cosines[i][i] for i in range(count))
    return (sum(map(sum, cosines)) - own) / (count * (count - 1))


def short(value: float) -> float:
    """Round to seven significant digits, which float32 has no more of."""
    return float(f"{value:.7g}")
