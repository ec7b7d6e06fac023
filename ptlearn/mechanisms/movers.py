"""What moves a prompt table: an encoder with its optimiser, or a graft of two.

The language model sees nothing but the table. So a training step has two halves: the
gradient of the loss at the table, which needs the language model and knows nothing of
encoders, and the move of the table that follows from it, which needs only the encoder.
This module is the second half.
"""

import torch
from torch import Tensor, nn

from ..prompts.encoders import make_encoder

OPTIMIZERS = ("adam", "sgd")
FREE = ("mlp", "lstm")
"""Encoders that start at an output of their own; the others start at a given table."""
ENCODERS = ("none", "linear", "residual-mlp", "residual-lstm", *FREE)
LENGTH_TOLERANCE = 0.01
"""How far, as a share, the length of a grafted move may be from the one asked for."""


class CutEncoder(nn.Module):
    """One whole copy of an encoder for each virtual token, so that they share nothing.

    Vector i of the table is vector i of copy i. As long as the copies are equal, so is
    the table to that of one shared encoder.

    Parameters
    ----------
    copies : list of Module
        Equal encoders, one for each virtual token.
    """

    def __init__(self, copies: list[nn.Module]):
        super().__init__()
        self.copies = nn.ModuleList(copies)

    def forward(self) -> Tensor:
        """Compute the table, shape (num_virtual_tokens, token_dim)."""
        return torch.stack([copy()[i] for i, copy in enumerate(self.copies)])


def encoder_at(
    kind: str, vectors: Tensor, *, seed: int, cut: bool = False
) -> nn.Module:
    """Make an encoder that is called without arguments and returns the table.

    Parameters
    ----------
    kind : str
        One of ``ENCODERS``. "linear" is one matrix that all virtual tokens share. It
        is taken in its residual form, which starts as the identity: it can reach what
        a bare table can, from the same start, and only the way there differs.
    vectors : Tensor, shape (num_virtual_tokens, token_dim)
        The input of "mlp" and "lstm"; for the others the table that they start at.
    seed : int
        Draws the encoder's weights.
    cut : bool
        One copy for each virtual token.
    """
    name = "residual-linear" if kind == "linear" else kind
    if not cut:
        return make_encoder(name, vectors, seed=seed)
    return CutEncoder([make_encoder(name, vectors, seed=seed) for _ in vectors])


class Mover:
    """An encoder and its optimiser: they turn a gradient at the table into a move.

    Parameters
    ----------
    encoder : Module
        Returns the table, shape (num_virtual_tokens, token_dim), when called.
    optimizer : "adam" or "sgd"
        Without weight decay or momentum of SGD.
    lr : float
    max_grad_norm : float
        A longer gradient of the encoder's parameters is scaled down to this norm.
    """

    def __init__(
        self, encoder: nn.Module, optimizer: str, lr: float, max_grad_norm: float = 1.0
    ):
        self.encoder, self.lr, self.max_grad_norm = encoder, lr, max_grad_norm
        self.parameters = list(encoder.parameters())
        fused = self.parameters[0].device.type in ("cpu", "cuda")
        if optimizer == "adam":
            self.optimizer = torch.optim.AdamW(
                self.parameters, lr=lr, weight_decay=0.0, fused=fused
            )
        else:
            self.optimizer = torch.optim.SGD(self.parameters, lr=lr)

    @torch.no_grad()
    def table(self) -> Tensor:
        """Return a copy of the table, shape (num_virtual_tokens, token_dim)."""
        return self.encoder().clone()

    def step(self, gradient: Tensor, share: float = 1.0) -> float:
        """Take one optimiser step at ``share`` of the rate.

        Parameters
        ----------
        gradient : Tensor, shape (num_virtual_tokens, token_dim)
            Of the loss, at the table.

        Returns
        -------
        float
            Norm of the gradient of the encoder's parameters, before it was clipped.
        """
        self.optimizer.zero_grad()
        self.encoder().backward(gradient)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm)
        self.optimizer.param_groups[0]["lr"] = self.lr * share
        self.optimizer.step()
        return float(norm)

    @torch.no_grad()
    def put(self, values: list[Tensor]) -> None:
        """Set the parameters; the optimiser's memory of gradients stays."""
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)


class Graft:
    """The direction of one mover with the length of another's move, at each step.

    Grafting separates the direction of a step from its length (Agarwal et al. 2020,
    arXiv 2002.11803). Both movers get the same gradient, that at the grafted table,
    and each takes its own optimiser step. Then:

    - ``direction`` carries the table. The step of its parameters is stretched or
      shortened until the table's move has the other's length (to 1 %), so the table
      never leaves what this encoder can make.
    - ``length`` lends the length of its own table's move. If it is a bare table, it is
      then put onto the grafted table. An encoder can't be put onto any table we like:
      it keeps its parameters and learns from the gradients at the grafted table.

    The length of a move is that of the whole table, all virtual tokens together.

    Parameters
    ----------
    direction, length : Mover
    length_is_bare : bool
        Whether ``length`` is a bare table.
    """

    def __init__(self, direction: Mover, length: Mover, *, length_is_bare: bool):
        self.direction, self.length = direction, length
        self.length_is_bare = length_is_bare

    @property
    def lr(self) -> float:
        """The rate of the mover that gives the direction."""
        return self.direction.lr

    def table(self) -> Tensor:
        """Return a copy of the table, shape (num_virtual_tokens, token_dim)."""
        return self.direction.table()

    def step(self, gradient: Tensor, share: float = 1.0) -> float:
        """Take one step, as :meth:`Mover.step` does."""
        wanted = _step_length(self.length, gradient, share)
        start = self.direction.table()
        before = [p.detach().clone() for p in self.direction.parameters]
        norm = self.direction.step(gradient, share)
        after = [p.detach().clone() for p in self.direction.parameters]
        self._stretch(start, before, after, wanted)
        if self.length_is_bare:
            self.length.put([self.table()])
        return norm

    def _stretch(self, start, before, after, wanted: float) -> None:
        """Scale the parameters' step until the table's move is ``wanted`` long."""
        stretch = 1.0
        for _ in range(8):  # an encoder is not linear, but over one step nearly so
            moved = float((self.table() - start).norm())
            if moved == 0 or abs(moved - wanted) <= LENGTH_TOLERANCE * wanted:
                return
            stretch *= wanted / moved
            pairs = zip(before, after, strict=True)
            self.direction.put([a.lerp(b, stretch) for a, b in pairs])


def _step_length(mover: Mover, gradient: Tensor, share: float) -> float:
    start = mover.table()
    mover.step(gradient, share)
    return float((mover.table() - start).norm())


def root_mean_square(move: Tensor) -> float:
    """Return the move of a table a coordinate, in root mean square."""
    return float(move.pow(2).mean().sqrt())
