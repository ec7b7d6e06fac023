"""A trace: one training run that is recorded step by step, and the loss it moves on.

The loss depends on the prompt table and on nothing else that is trained. So it is a
surface over tables, and a trace is a way on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import StudyError
from ..forward import scoring
from ..forward.batches import batches_by_length
from ..prompts.initializers import initial_table
from ..prompts.tuner import PromptTuner
from ..studies.job import Job, settings_key
from ..studies.prepare import device_name, prepared_lm, prepared_task
from ..training.batches import batch_order
from .movers import ENCODERS, FREE, OPTIMIZERS, encoder_at

STARTS = ("normal", "paper", "words", "short", *FREE)
DEV_BATCH = 64


@dataclass(frozen=True)
class Trace:
    """One recorded training run: everything that decides its numbers.

    The defaults must never change: a key is made of what differs from them.

    Attributes
    ----------
    encoder : str
        One of ``movers.ENCODERS``; see ``movers.encoder_at``.
    cut : bool
        A separate copy of the encoder for each virtual token.
    start : str
        The table to start at: "normal" and "paper" as in ``initial_table``; "words":
        the words in the template; "mlp", "lstm": the output of such an encoder before
        training; "short": "normal", scaled to the mean length of such an LSTM's output.
        The encoders "mlp" and "lstm" always start at their own output.
    optimizer : "adam" or "sgd"
    move : float
        Root-mean-square move a coordinate of the table in one of the first steps. The
        rate is found by a probe of a few steps, so that this is how far the table
        moves.
    rate_of : str
        Take the rate at which this encoder moves as far; "" is each its own.
    length_of : str
        Graft: the length of each step comes from this encoder; "" is its own.
    switch_at : int
        After so many steps the table is folded and ``then`` goes on from it, with a
        rate at which the table moves as far as before. 0: no switch.
    then : str
        The encoder after the switch: one that starts at a given table.
    start_seed, weights_seed, order_seed : int
        Draw the initial vectors, the encoder's weights and the order of the rows.
    steps, batch_size, evaluate_every, max_grad_norm
        As in ``fit``.
    warmup_steps : int
        Steps over which the rate rises.
    task, template, model : str
    dev_rows : int or None
        Only the first so many (None: all).

    Raises
    ------
    StudyError
        If there is no such encoder, start or optimiser.
    """

    encoder: str = "none"
    cut: bool = False
    start: str = "normal"
    optimizer: str = "adam"
    move: float = 0.015
    rate_of: str = ""
    length_of: str = ""
    switch_at: int = 0
    then: str = ""
    start_seed: int = 0
    weights_seed: int = 0
    order_seed: int = 0
    steps: int = 200
    batch_size: int = 16
    evaluate_every: int = 20
    max_grad_norm: float = 1.0
    warmup_steps: int = 10
    task: str = "city_country"
    template: str = '[V:"City:"] {subject}[V:"\nCountry:"] {answer}'
    model: str = "smollm2-135m"
    dev_rows: int | None = None

    def __post_init__(self):
        given = tuple(name for name in ENCODERS if name not in FREE)
        allowed = {
            "encoder": ENCODERS,
            "start": STARTS,
            "optimizer": OPTIMIZERS,
            "rate_of": ("", *ENCODERS),
            "length_of": ("", *ENCODERS),
            "then": given if self.switch_at else ("",),
        }
        for name, names in allowed.items():
            if (value := getattr(self, name)) not in names:
                raise StudyError(
                    f"{name} must be one of {', '.join(map(repr, names))}, not "
                    f"{value!r}"
                )

    @property
    def key(self) -> str:
        """What names the run: 16 hexadecimal digits, hashed from its settings."""
        return settings_key("trace", self)


class Surface:
    """The loss as a function of the prompt table alone.

    Parameters
    ----------
    trace : Trace
        Of which the task, the template, the model and the dev rows count.

    Attributes
    ----------
    words : Tensor, shape (num_virtual_tokens, token_dim)
        The embeddings of the template's words.
    """

    def __init__(self, trace: Trace):
        job = Job(
            trace.task, trace.template, model=trace.model, dev_rows=trace.dev_rows
        )
        task, self.lm = prepared_task(job), prepared_lm(job)
        self.device_name = device_name(job)
        self.tuner = PromptTuner(self.lm, trace.template, init="normal")
        self.words = self.tuner.prompt_embeddings().detach().clone()
        encode = self.tuner.tokens.encode
        self.examples = [encode(row) for row in scoring.as_rows(task.train)]
        self.dev = [encode(row) for row in scoring.as_rows(task.dev)]

    def batches(self, trace: Trace) -> Iterator[list]:
        """Yield batches of examples without end, in the order that ``fit`` has."""
        lengths = [len(example.ids) for example in self.examples]
        for batch in batch_order(lengths, trace.batch_size, trace.order_seed):
            yield [self.examples[i] for i in batch]

    def loss_and_gradient(self, table: Tensor, examples: list) -> tuple[float, Tensor]:
        """Return the loss (nats an example) and its gradient at the table."""
        vectors = self._put(table)
        vectors.grad = None
        loss = -self.tuner(examples).mean()
        loss.backward()
        return loss.item(), vectors.grad

    def dev_loss(self, table: Tensor) -> float:
        """Return the mean loss of the dev rows, in nats a row."""
        self._put(table)
        lengths = [len(example.ids) for example in self.dev]
        total = 0.0
        with scoring.inference(self.tuner):
            for batch in batches_by_length(lengths, DEV_BATCH):
                total -= self.tuner([self.dev[i] for i in batch]).sum().item()
        return total / len(self.dev)

    @torch.no_grad()
    def _put(self, table: Tensor) -> Tensor:
        vectors = self.tuner.encoder.embedding
        vectors.copy_(table)
        return vectors


def start_table(trace: Trace, surface: Surface) -> Tensor:
    """Return the table that ``trace.start`` means, (num_virtual_tokens, token_dim)."""
    if trace.start == "words":
        return surface.words
    count = surface.tuner.num_virtual_tokens
    if trace.start in ("normal", "paper"):
        return initial_table(trace.start, surface.lm, count, seed=trace.start_seed)
    kind = "lstm" if trace.start == "short" else trace.start
    with torch.no_grad():
        fresh = encoder_of(trace, surface, kind, surface.words)()
    if trace.start != "short":
        return fresh
    normal = initial_table("normal", surface.lm, count, seed=trace.start_seed)
    return normal * (fresh.norm(dim=1).mean() / normal.norm(dim=1).mean())


def encoder_of(trace: Trace, surface: Surface, kind: str, table: Tensor) -> nn.Module:
    """Make a trace's encoder of some kind, which starts at a table if it can."""
    if kind in FREE:
        # As in the paper's code, which feeds its encoder with vectors of N(0, 1).
        count, seed = len(table), trace.start_seed
        table = initial_table("paper", surface.lm, count, seed=seed)
    cut = trace.cut and kind == trace.encoder
    return encoder_at(kind, table, seed=trace.weights_seed, cut=cut)
