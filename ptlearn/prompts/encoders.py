"""Prompt encoders: they make the prompt table out of trainable parameters.

The P-Tuning paper (Liu et al. 2021, section 3.2) does not train the virtual tokens'
embeddings directly. It trains vectors that a bidirectional LSTM and a two-layer
perceptron turn into the embeddings: h_i = MLP([LSTM forward_i : LSTM backward_i]).
An encoder sees only these vectors and never the input text. So its output can be
computed once after training, and the encoder thrown away.
"""

from dataclasses import dataclass
from numbers import Integral, Real
from operator import index

import torch
from torch import Tensor, nn

from ..errors import PromptError

KINDS = ("none", "linear", "mlp", "lstm")


@dataclass(frozen=True)
class EncoderConfig:
    """How the prompt table is made (Liu et al. 2021, section 3.2).

    Attributes
    ----------
    kind : "none", "linear", "mlp" or "lstm"
        "none" trains the table itself, which is prompt tuning (Lester et al. 2021).
        "linear" sends it through one Linear: it can express no more than the table
        itself, and so shows what the change of coordinates alone does. "mlp" sends it
        through Linear, ReLU, Linear; "lstm" puts a bidirectional LSTM before that
        perceptron, as the paper does for LAMA. These two are P-Tuning.
    encoder_hidden_size : int, optional
        Width of the LSTM in each direction (default ``token_dim // 2``, as in the
        paper), or of the perceptron's hidden layer for "mlp" (default ``token_dim``).
    num_layers : int
        LSTM layers; the paper's code has 2.
    dropout : float
        Between LSTM layers and, in "mlp", before the last layer. The paper's is 0.
    residual : bool
        Add the trainable vectors to the encoder's output, whose last layer starts at
        zero: training then starts exactly at the initial vectors (Razdaibiedina et
        al. 2023).

    Raises
    ------
    PromptError
        If a value is not allowed; the message says which are.
    """

    kind: str = "lstm"
    encoder_hidden_size: int | None = None
    num_layers: int = 2
    dropout: float = 0.0
    residual: bool = False

    def __post_init__(self):
        if self.kind not in KINDS:
            raise PromptError(f"unknown encoder {self.kind!r}; allowed: {_allowed()}")
        if self.residual and self.kind == "none":
            raise PromptError(
                'residual=True needs an encoder: "linear", "mlp" or "lstm"'
            )
        sizes = {"num_layers": self.num_layers}
        if self.encoder_hidden_size is not None:
            sizes["encoder_hidden_size"] = self.encoder_hidden_size
        for name, size in sizes.items():
            if not isinstance(size, Integral) or size < 1:
                raise PromptError(
                    f"{name} must be a whole number, at least 1, not {size!r}"
                )
        if not isinstance(self.dropout, Real) or not 0 <= self.dropout < 1:
            raise PromptError(f"dropout must be in [0, 1), not {self.dropout!r}")

    @classmethod
    def named(cls, encoder: "str | EncoderConfig") -> "EncoderConfig":
        """Return the config for a name: "none", "mlp", "lstm", "residual-mlp", ...

        Raises
        ------
        PromptError
            If the name is unknown; the message has those allowed.
        """
        if isinstance(encoder, cls):
            return encoder
        if not isinstance(encoder, str):
            raise PromptError(f"unknown encoder {encoder!r}; allowed: {_allowed()}")
        kind = encoder.removeprefix("residual-")
        if kind not in KINDS or encoder == "residual-none":
            raise PromptError(f"unknown encoder {encoder!r}; allowed: {_allowed()}")
        return cls(kind=kind, residual=kind != encoder)

    @property
    def name(self) -> str:
        """The kind, with "residual-" before it if it is residual."""
        return f"residual-{self.kind}" if self.residual else self.kind


def _allowed() -> str:
    return (
        '"none", "linear", "mlp", "lstm", "residual-linear", "residual-mlp", '
        '"residual-lstm", or an EncoderConfig'
    )


class PromptEncoder(nn.Module):
    """Computes the prompt table from trainable vectors, and returns it when called.

    Parameters
    ----------
    config : EncoderConfig
    initial_table : Tensor, shape (num_virtual_tokens, token_dim)
        Where the trainable vectors start.

    Attributes
    ----------
    embedding : Parameter, shape (num_virtual_tokens, token_dim)
        With kind "none" this is the prompt table itself.
    """

    def __init__(self, config: EncoderConfig, initial_table: Tensor):
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(initial_table.clone())
        width = initial_table.shape[1]
        if config.kind == "linear":  # under the name that the last layer always has
            self.mlp = nn.Sequential(nn.Linear(width, width))
        if config.kind == "mlp":
            self.mlp = self._mlp(width, config.encoder_hidden_size or width, width)
        if config.kind == "lstm":
            hidden = config.encoder_hidden_size or max(1, width // 2)
            self.lstm = nn.LSTM(
                input_size=width,
                hidden_size=hidden,
                num_layers=config.num_layers,
                dropout=config.dropout if config.num_layers > 1 else 0.0,
                bidirectional=True,
                batch_first=True,
            )
            self.mlp = self._mlp(2 * hidden, 2 * hidden, width)
        if config.residual:
            nn.init.zeros_(self.mlp[-1].weight)
            nn.init.zeros_(self.mlp[-1].bias)
        self.to(initial_table)

    def _mlp(self, inputs: int, hidden: int, outputs: int) -> nn.Sequential:
        layers = [nn.Linear(inputs, hidden), nn.ReLU()]
        if self.config.kind == "mlp" and self.config.dropout:
            layers.append(nn.Dropout(self.config.dropout))
        return nn.Sequential(*layers, nn.Linear(hidden, outputs))

    def forward(self) -> Tensor:
        """Compute the table, shape (num_virtual_tokens, token_dim)."""
        if self.config.kind == "none":
            return self.embedding
        vectors = self.embedding
        if self.config.kind == "lstm":
            # An explicit batch of one: a prompt of one token must keep its shape.
            vectors = self.lstm(vectors.unsqueeze(0))[0][0]
        encoded = self.mlp(vectors)
        return self.embedding + encoded if self.config.residual else encoded


def make_encoder(
    encoder: str | EncoderConfig, initial_table: Tensor, *, seed: int = 0
) -> PromptEncoder:
    """Make an encoder by name or config.

    Parameters
    ----------
    encoder : str or EncoderConfig
        "none", "mlp", "lstm", "residual-mlp" or "residual-lstm".
    initial_table : Tensor, shape (num_virtual_tokens, token_dim)
        Where the trainable vectors start; copied.
    seed : int
        The weights are drawn from it; the program's random state is left alone.

    Raises
    ------
    PromptError
        If the name is unknown; the message has those allowed.
    """
    config = EncoderConfig.named(encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(index(seed))
        # Always drawn on the CPU, so that a seed means the same on every device.
        return PromptEncoder(config, initial_table.cpu()).to(initial_table.device)
