"""What ``fit`` trains besides prompts: numbers inside a language model, or beside it.

A ``ModelTuner`` has the same calls as a ``PromptTuner``, so ``fit``, its schedule and
its choice by dev rows are the same for all methods, and so is the scoring.
"""

import warnings
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

from torch import Tensor, nn

from ..forward import scoring
from ..forward.plan import ForwardPlan
from ..lm.language_model import LanguageModel
from ..prompts.prompt import Prompt
from ..templates.language import Template
from ..templates.tokenization import Example


class ModelTuner(nn.Module):
    """A wording that is read by a language model of which some numbers are trained.

    Parameters
    ----------
    lm : LanguageModel
        With the trained numbers in it.
    wording : Template or str
        Without virtual tokens.
    trained : iterable of nn.Parameter
        What ``fit`` changes; all else is frozen.
    name : str
        What the method is called.
    saved : object with ``save_pretrained``, optional
        What is stored of it; None: the whole model.

    Attributes
    ----------
    encoder : nn.ParameterList
        The trained numbers, under the name that ``fit`` knows them by.
    """

    def __init__(
        self,
        lm: LanguageModel,
        wording: Template | str,
        trained: Iterable[nn.Parameter],
        *,
        name: str,
        saved=None,
    ):
        super().__init__()
        wording = wording if isinstance(wording, Template) else Template(wording)
        self.lm, self.template = lm, wording
        # The plain forward: a plan that keeps keys and values counts on a frozen model.
        self._plan = ForwardPlan(lm, wording, fast=False)
        self.tokens = self._plan.tokens
        self.config = SimpleNamespace(name=name)
        self.encoder = nn.ParameterList(trained)
        self.answers: list[str] = []
        # In a list, so that the model is no submodule whose weights would be trained.
        self._saved = [lm.model if saved is None else saved]

    def prompt_embeddings(self) -> None:
        """Return None: a wording has no prompt table."""
        return None

    def num_trainable(self) -> int:
        """Count the numbers that are trained."""
        return sum(p.numel() for p in self.parameters())

    def forward(self, examples: list[Example], context_cache=None) -> Tensor:
        """Compute the log-probability of each example's answer, with gradient.

        Parameters
        ----------
        examples : list of Example
            From ``tokens.encode(row)``.
        context_cache
            Not used: keys and values of a model that changes can't be kept.

        Returns
        -------
        Tensor, shape (len(examples),)
            In nats.
        """
        return scoring.sum_targets(self._plan.logits(None, examples), examples)

    def fold(self) -> Prompt:
        """Return the wording, to be read by the model as it is now."""
        return Prompt(self.lm, self.template, answers=self.answers)

    def save(self, folder: str | Path) -> Path:
        """Write what has to be kept for one customer, and return the folder."""
        with warnings.catch_warnings():
            # PEFT looks for the base model's config on the Hub.
            warnings.simplefilter("ignore")
            self._saved[0].save_pretrained(folder)
        return Path(folder)
