"""A frozen language model: what the rest of the package may ask of it."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .bfloat16 import Bfloat16Linear

OF_NO_ACCOUNT = ("_name_or_path", "transformers_version", "dtype", "torch_dtype")
"""Settings that differ between two copies of one model."""


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A frozen language model with its tokenizer, made by `load_lm`.

    Attributes
    ----------
    model : PreTrainedModel
        Without gradients (``requires_grad_(False)``) and in ``eval()`` mode.
    tokenizer : PreTrainedTokenizerBase
        Has a pad token.
    kind : str
        "causal" or "masked".
    name : str
        The name it was asked for by.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    kind: str
    name: str

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the vectors that go through the model."""
        return self._embedding_matrix.dtype

    @property
    def product_dtype(self) -> torch.dtype:
        """The type in which the linear layers multiply: ``dtype``, or bfloat16."""
        layers = (m for m in self.model.modules() if isinstance(m, Bfloat16Linear))
        return next((layer.rounded.dtype for layer in layers), self.dtype)

    @property
    def token_dim(self) -> int:
        """Width of the input embedding; ALBERT's is not the hidden size."""
        return self._embedding_matrix.shape[1]

    @cached_property
    def context_window(self) -> int | None:
        """Longest input in tokens; None where the architecture sets no limit."""
        config = self.model.config.get_text_config()
        longest = getattr(config, "max_position_embeddings", None)
        return None if longest is None else longest - self.first_position

    @cached_property
    def first_position(self) -> int:
        """Position of the first token; RoBERTa's kin count from padding_idx + 1."""
        for name, module in self.model.named_modules():
            padding = getattr(module, "padding_idx", None)
            if name.endswith("position_embeddings") and padding is not None:
                return padding + 1
        return 0

    @cached_property
    def embedding_std(self) -> float:
        """Standard deviation of the numbers in the tokens' vectors, as looked up.

        Gemma 3 and its kin multiply a token's row of the matrix by a constant when they
        look it up; the constant is in it.
        """
        matrix = self._embedding_matrix.float()
        longest = matrix.norm(dim=1).argmax()  # a padding token's row may be zero
        looked_up = self.embed(longest).float()
        return (looked_up.norm() / matrix[longest].norm() * matrix.std()).item()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all weights: the model's identity.

        A fine-tuned or merged model has another one than its base. Taken in
        bfloat16, so that a model in float32, float64 and bfloat16 has one
        fingerprint and a prompt moves between them. Tied weights count once, and
        the weights are ordered by their names.

        The first call reads every weight: about a second for the embedded model, a
        few seconds for each billion of weights. Later calls cost nothing.
        """
        names: dict[Tensor, list[str]] = {}
        for name, weight in self.model.named_parameters(remove_duplicate=False):
            names.setdefault(weight, []).append(name)
        digest = hashlib.sha256()
        for weight in sorted(names, key=lambda weight: min(names[weight])):
            _add(digest, weight)
        return digest.hexdigest()

    @cached_property
    def settings(self) -> dict[str, str]:
        """What else decides the answers: a SHA-256 of the tokenizer and the config.

        The weights do not show it. How both are written depends on the versions of
        their libraries, which stand beside it.
        """
        config = self.model.config.to_dict()
        parts = [{k: v for k, v in config.items() if k not in OF_NO_ACCOUNT}]
        if backend := getattr(self.tokenizer, "backend_tokenizer", None):
            tokenizer = json.loads(backend.to_str())
            # Left there by the last text that was tokenised.
            parts.append(tokenizer | {"padding": None, "truncation": None})
        text = json.dumps(parts, sort_keys=True, default=str)
        versions = {name: version(name) for name in ("transformers", "tokenizers")}
        return versions | {"sha256": hashlib.sha256(text.encode()).hexdigest()}

    def has_settings(self, settings: dict[str, str] | None) -> bool:
        """Return False if the tokenizer or the config is known to be another one.

        Parameters
        ----------
        settings : dict or None
            The ``settings`` of a model, perhaps under other versions of the libraries;
            nothing can be known of those.
        """
        if not isinstance(settings, dict):  # of a prompt that was saved before
            return True
        versions = settings | {"sha256": self.settings["sha256"]}
        return versions != self.settings or settings == self.settings

    @cached_property
    def embedding_fingerprint(self) -> str:
        """SHA-256 of the input embeddings alone, in bfloat16.

        Prompts saved in the first format carry it: see `Prompt.load`.
        """
        digest = hashlib.sha256()
        _add(digest, self._embedding_matrix)
        return digest.hexdigest()

    @property
    def _embedding_matrix(self) -> Tensor:  # (vocabulary, token_dim)
        return self.model.get_input_embeddings().weight

    def embed(self, ids: Tensor) -> Tensor:
        """Return the input embeddings of token ids: (...) -> (..., token_dim)."""
        return self.model.get_input_embeddings()(ids)

    def num_parameters(self) -> int:
        """Return how many numbers the model holds; tied weights count once."""
        return sum(parameter.numel() for parameter in self.model.parameters())


def _add(digest: "hashlib._Hash", weight: Tensor) -> None:
    """Feed a weight's shape and its values in bfloat16 to the digest."""
    digest.update(f"{tuple(weight.shape)}".encode())
    values = weight.detach().to("cpu", torch.bfloat16).contiguous()
    digest.update(values.view(torch.int16).numpy())
