"""The loss along a straight line between two prompt tables.

Two trained tables lie in one basin if the loss does not rise on the way from one to the
other. The height of the barrier says how far apart two optima really are.
"""

import json
import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ..files import short_hash
from ..studies.prepare import arithmetic
from ..studies.provenance import code_version, versions
from .recording import short
from .traces import Surface, Trace, start_table

START = "ptlearn.mechanisms.lines"


@dataclass(frozen=True)
class Line:
    """A line from one table to another: which tables, and where the loss is taken.

    Attributes
    ----------
    first, second : str
        Keys of two traces of the same task, template, model and dev rows.
    first_end, second_end : "start" or "end"
        Their first or their last table. A line may begin at a start, not end there.
    points : int
        Evenly spaced, the ends included.
    """

    first: str
    second: str
    first_end: str = "end"
    second_end: str = "end"
    points: int = 21

    @property
    def key(self) -> str:
        """What names the line: 16 hexadecimal digits, hashed from its settings."""
        text = json.dumps({"line": asdict(self)}, sort_keys=True)
        return short_hash(text)


def run_line(
    line: Line, trace: Trace, first: list | None, second: list, threads: int = 1
) -> dict[str, Any]:
    """Evaluate a line in this process and return its row.

    Parameters
    ----------
    line : Line
    trace : Trace
        One of its two traces: says on which surface the line lies.
    first, second : list, (num_virtual_tokens, token_dim)
        The tables at the two ends. ``first`` is None where the line begins at the
        start of ``trace``, which is made anew from its seeds.

    Returns
    -------
    dict
        JSON types only. ``losses``: dev loss at each point (nats a row). ``barrier``:
        how far the highest point lies above the higher end, 0 if the ends are highest.
        ``distance``: root mean square of the tables' difference a coordinate.
    """
    started = time.perf_counter()
    with arithmetic(threads):
        surface = Surface(trace)
        ends = [
            start_table(trace, surface)
            if end is None
            else torch.tensor(end, device=surface.words.device)
            for end in (first, second)
        ]
        losses = line_losses(surface, *ends, points=line.points)
    finite = all(math.isfinite(loss) for loss in losses)
    difference = (ends[1] - ends[0]).pow(2).mean().sqrt()
    return {
        "key": line.key,
        **asdict(line),
        "error": "" if finite else "a loss on the line is not finite",
        "losses": [short(loss) for loss in losses] if finite else [],
        "barrier": short(barrier(losses)) if finite else None,
        "distance": short(float(difference)),
        "code": code_version(start=START),
        "versions": versions(),
        "device": surface.device_name,
        "threads": threads,
        "seconds": round(time.perf_counter() - started, 2),
    }


def line_losses(
    surface: Surface, first: Tensor, second: Tensor, *, points: int = 21
) -> list[float]:
    """Return the dev loss at evenly spaced points from one table to another.

    Parameters
    ----------
    surface : Surface
    first, second : Tensor, shape (num_virtual_tokens, token_dim)
    points : int
        At least 2: the ends are among them.
    """
    shares = torch.linspace(0, 1, points).tolist()
    return [surface.dev_loss(first.lerp(second, share)) for share in shares]


def barrier(losses: list[float]) -> float:
    """Return the height of the highest loss on a line above its higher end, in nats."""
    return max(losses) - max(losses[0], losses[-1])
