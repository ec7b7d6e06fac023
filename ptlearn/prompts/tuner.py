"""What is trained: a template's virtual tokens, under a prompt encoder."""

import warnings

from torch import Tensor, nn

from ..errors import PromptError
from ..forward import scoring
from ..forward.kv_cache import ContextCache
from ..forward.plan import ForwardPlan
from ..lm.language_model import LanguageModel
from ..tasks.task import Task
from ..templates.language import Template
from ..templates.tokenization import Example
from .encoders import EncoderConfig, make_encoder
from .initializers import initial_table, word_vectors
from .prompt import Prompt


class PromptTuner(nn.Module):
    """A frozen language model with trainable virtual tokens in a template.

    With ``encoder="none"`` this is prompt tuning (Lester et al. 2021), though with
    virtual tokens anywhere in the template; with ``"lstm"`` or ``"mlp"`` it is P-Tuning
    (Liu et al. 2021, section 3).

    Its parameters are the prompt encoder's and nothing else. The language model is held
    beside them and is no submodule, so ``parameters()``, ``state_dict()`` and an
    optimiser never see its weights.

    Parameters
    ----------
    lm : LanguageModel
    template : Template or str
        With at least one virtual token.
    encoder : str or EncoderConfig
        "none", "mlp", "lstm", "residual-mlp" or "residual-lstm".
    init : str, Tensor or None
        See ``initializers.initial_table``; a tensor is copied. None is "normal" without
        an encoder and for the residual ones, "paper" for "mlp" and "lstm". Words in the
        template win for their own slots.
    seed : int
        For the initial vectors and the encoder's weights.
    init_seed : int, optional
        Another seed for the initial vectors alone; None is ``seed``.
    task : Task, optional
        Needed by ``init="task"`` and ``init="answers"``.

    Raises
    ------
    PromptError
        If the template has no virtual tokens, or the encoder or the init is unknown;
        the message names those allowed.
    """

    def __init__(
        self,
        lm: LanguageModel,
        template: Template | str,
        *,
        encoder: str | EncoderConfig = "none",
        init: str | Tensor | None = None,
        seed: int = 0,
        init_seed: int | None = None,
        task: Task | None = None,
    ):
        super().__init__()
        template = template if isinstance(template, Template) else Template(template)
        if not template.has_virtual_tokens:
            raise PromptError(
                f"nothing to train in {template.text!r}: it has no virtual tokens; "
                "write some as [V:3], or score it as it is with Prompt"
            )
        self.lm, self.template = lm, template
        self._plan = ForwardPlan(lm, template)
        self.tokens = self._plan.tokens
        self.config = EncoderConfig.named(encoder)
        self.init = init if init is not None else self._default_init()
        table = initial_table(
            self.init,
            lm,
            self.num_virtual_tokens,
            task=task,
            seed=seed if init_seed is None else init_seed,
        )
        slots = self.tokens.word_slots
        if slots:
            table[list(slots)] = word_vectors(lm, list(slots.values())).to(table)
        self._warn_of_lost_words(slots)
        self.encoder = make_encoder(self.config, table, seed=seed)
        self.answers: list[str] = []

    def _default_init(self) -> str:
        bare = self.config.kind == "none" or self.config.residual
        return "normal" if bare else "paper"

    def _warn_of_lost_words(self, slots: dict[int, int]) -> None:
        named = isinstance(self.init, str) and self.init not in ("normal", "paper")
        if (slots or named) and self.config.kind != "none" and not self.config.residual:
            warnings.warn(
                f"the words are only the input of the {self.config.name} encoder: its "
                "output, the prompt table, does not start at them. "
                f'encoder="residual-{self.config.kind}" does.',
                stacklevel=3,
            )

    @property
    def num_virtual_tokens(self) -> int:
        """How many virtual tokens the template has under this tokenizer."""
        return self.tokens.num_virtual_tokens

    def prompt_embeddings(self) -> Tensor:
        """Compute the prompt table, shape (num_virtual_tokens, token_dim)."""
        return self.encoder()

    def num_trainable(self) -> int:
        """Count the numbers that are trained: the encoder's and the initial vectors."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def forward(
        self, examples: list[Example], context_cache: ContextCache | None = None
    ) -> Tensor:
        """Compute the log-probability of each example's answer, with gradient.

        Parameters
        ----------
        examples : list of Example
            From ``tokens.encode(row)``.
        context_cache : ContextCache, optional
            Keeps keys and values of what comes before the first virtual token.

        Returns
        -------
        Tensor, shape (len(examples),)
            In nats; the loss of P-Tuning is minus their mean.
        """
        table = self.prompt_embeddings()
        prefix = self._plan.shared_prefix(table, len(examples))
        logits = self._plan.logits(table, examples, prefix, context_cache)
        return scoring.sum_targets(logits, examples)

    def answer_logits(self, rows) -> Tensor:
        """Return the logits at the answers' tokens, (their number, vocabulary)."""
        return scoring.answer_logits(self, rows)

    def answer_log_probs(self, rows, *, batch_size: int = 16) -> Tensor:
        """Score each row's own answer, as :meth:`Prompt.answer_log_probs` does."""
        return scoring.answer_log_probs(self, rows, batch_size=batch_size)

    def fold(self) -> Prompt:
        """Compute the table once and drop the encoder (section 3.2, last paragraph).

        Returns
        -------
        Prompt
            With the same logits: the difference is 0.0.
        """
        with scoring.inference(self):
            table = self.prompt_embeddings()
        return Prompt(self.lm, self.template, table, answers=self.answers)

    def __repr__(self) -> str:
        return (
            f"PromptTuner({self.template.text!r}, lm={self.lm.name!r}, "
            f"encoder={self.config.name!r}, init={_shown(self.init)}, "
            f"num_virtual_tokens={self.num_virtual_tokens}, "
            f"num_trainable={self.num_trainable():,})"
        )


def _shown(init) -> str:
    return repr(init) if isinstance(init, str) else f"a tensor {tuple(init.shape)}"
