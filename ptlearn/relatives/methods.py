"""The relatives of P-Tuning as ``fit`` takes them: PEFT's prefix and LoRA, and all."""

import warnings

import torch
from torch import LongTensor, Tensor, nn
from transformers import Cache

from ..errors import ModelError, StudyError
from ..lm.language_model import LanguageModel
from ..prompts.initializers import initial_table
from ..prompts.tuner import PromptTuner
from .model_tuner import ModelTuner
from .trial import PROMPTS, Setting

RANK, ALPHA = 8, 16
"""Of LoRA; the matrices are those of queries and values, as in its paper."""


def make_tuner(
    method: str, lm: LanguageModel, setting: Setting, seed: int = 0
) -> PromptTuner | ModelTuner:
    """Return what ``fit`` trains for a method.

    Parameters
    ----------
    method : str
        One of ``WITH_RATE``.
    lm : LanguageModel
        LoRA and full fine-tuning change its model: give one that nobody else uses.
    setting : Setting
        The wording that all read, and where the prompts have their virtual tokens.
    seed : int
        Draws what is random at the start.

    Raises
    ------
    StudyError
        If gradient steps train no such method.
    """
    if method in PROMPTS:
        return PromptTuner(lm, setting.mixed, encoder=PROMPTS[method], seed=seed)
    if method == "prefix tuning":
        virtual = PromptTuner(lm, setting.mixed).num_virtual_tokens
        return prefix_tuner(lm, setting.wording, virtual, seed=seed)
    if method == "LoRA":
        return lora_tuner(lm, setting.wording, seed=seed)
    if method == "full fine-tuning":
        return full_tuner(lm, setting.wording)
    raise StudyError(f"no gradient steps train {method!r}")


def full_tuner(lm: LanguageModel, wording: str) -> ModelTuner:
    """Train every number of the language model. It is changed in place.

    Raises
    ------
    ModelError
        If the weights are bfloat16.
    """
    _refuse_bfloat16(lm, "full fine-tuning")
    lm.model.requires_grad_(True)
    name = "full fine-tuning"
    return ModelTuner(lm, wording, lm.model.parameters(), name=name)


def lora_tuner(
    lm: LanguageModel, wording: str, *, r: int = RANK, alpha: int = ALPHA, seed: int = 0
) -> ModelTuner:
    """Train PEFT's LoRA: a thin product B A beside some weight matrices.

    Hu et al. 2022, section 4.1. PEFT puts its matrices into the model in place; the
    weights themselves stay as they are.

    Parameters
    ----------
    lm : LanguageModel
    wording : str
    r : int
        Inner width of the product.
    alpha : int
        The product is multiplied by ``alpha / r``.
    seed : int
        Draws A; B starts at zero.

    Raises
    ------
    ModelError
        If the weights are bfloat16.
    """
    from peft import LoraConfig

    _refuse_bfloat16(lm, "LoRA")
    config = LoraConfig(task_type="CAUSAL_LM", r=r, lora_alpha=alpha, lora_dropout=0.0)
    adapted = _with_peft(lm, config, seed)
    tuned = LanguageModel(
        adapted.get_base_model(), lm.tokenizer, lm.kind, f"{lm.name}, LoRA"
    )
    return ModelTuner(tuned, wording, _trained(adapted), name="LoRA", saved=adapted)


def _refuse_bfloat16(lm: LanguageModel, method: str) -> None:
    if lm.product_dtype != lm.dtype:
        raise ModelError(
            f"{method} trains in the linear layers of {lm.name}, whose weights are "
            'bfloat16: too coarse for small steps. Take load_lm(..., dtype="float32")'
        )


def prefix_tuner(
    lm: LanguageModel, wording: str, num_virtual_tokens: int, *, seed: int = 0
) -> ModelTuner:
    """Train PEFT's prefix: keys and values in every layer, before all tokens.

    Prefix tuning (Li and Liang 2021) without its network, which is P-Tuning v2 (Liu et
    al. 2022, section 3) of a causal model. The model itself is not changed.

    Parameters
    ----------
    lm : LanguageModel
    wording : str
    num_virtual_tokens : int
        Places before the first token.
    seed : int
        Draws the vectors whose keys and values the prefix starts from.

    Notes
    -----
    The start is that of prompt tuning: ``num_virtual_tokens`` random vectors before the
    words, and the keys and values that the model makes of them. PEFT's own start,
    N(0, 1) for each key and value, is far from anything that the model has met: it
    costs the embedded model several nats before the first step.
    """
    from peft import PrefixTuningConfig

    config = PrefixTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=num_virtual_tokens
    )
    adapted = _with_peft(lm, config, seed)
    table = initial_table("normal", lm, num_virtual_tokens, seed=seed)
    start_prefix(adapted, table)
    model = PrefixedModel(adapted)
    tuned = LanguageModel(model, lm.tokenizer, lm.kind, f"{lm.name}, with a prefix")
    name = "prefix tuning"
    return ModelTuner(tuned, wording, _trained(adapted), name=name, saved=adapted)


@torch.no_grad()
def start_prefix(adapted, table: Tensor) -> None:
    """Let a prefix of PEFT be what the model makes of a prompt table.

    Parameters
    ----------
    adapted : peft.PeftModel
        With a prefix of as many virtual tokens.
    table : Tensor, shape (num_virtual_tokens, token_dim)
    """
    cache = adapted.get_base_model()(inputs_embeds=table[None], use_cache=True)
    layers = cache.past_key_values.layers
    # (2 x layers, heads, virtual tokens, head_dim), keys and values in turn
    states = torch.cat([torch.cat([layer.keys, layer.values]) for layer in layers])
    prefix = states.permute(2, 0, 1, 3).reshape(len(table), -1)
    adapted.prompt_encoder[adapted.active_adapter].embedding.weight.copy_(prefix)


class PrefixedModel(nn.Module):
    """A language model that reads PEFT's prefix before everything, at any padding.

    PEFT's own forward counts positions from the padding on. This one takes the
    positions that it is given, moved on by the prefix, so that batch mates change
    nothing. Without padding the two agree.

    Parameters
    ----------
    adapted : peft.PeftModel
        With a prefix.
    """

    def __init__(self, adapted):
        super().__init__()
        self.adapted, self.base = adapted, adapted.get_base_model()
        self.config = self.base.config

    def forward(
        self,
        inputs_embeds: Tensor,
        attention_mask: LongTensor | None = None,
        position_ids: LongTensor | None = None,
        past_key_values: Cache | None = None,
        logits_to_keep: int | Tensor = 0,
        use_cache: bool = False,
    ):
        """Compute logits; whoever calls need not know that there is a prefix.

        Parameters
        ----------
        inputs_embeds : Tensor, shape (n, length, token_dim)
        attention_mask : LongTensor, shape (n, cached + length)
            Without the prefix.
        position_ids : LongTensor, shape (n, length)
            Counted without the prefix.
        past_key_values : Cache, optional
            From an earlier call: the prefix stands in it already.
        """
        n, length = inputs_embeds.shape[:2]
        if attention_mask is None:
            attention_mask = torch.ones(n, length, dtype=torch.long, device=self.device)
        if position_ids is None:
            position_ids = (attention_mask.cumsum(1) - 1).clamp(min=0)[:, -length:]
        reach = self.adapted.active_peft_config.num_virtual_tokens
        if past_key_values is None:
            past_key_values = self.adapted.get_prompt(n)
        seen = attention_mask.new_ones(n, reach)
        return self.base(
            inputs_embeds=inputs_embeds,
            attention_mask=torch.cat([seen, attention_mask], dim=1),
            position_ids=position_ids + reach,
            past_key_values=past_key_values,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
        )

    def get_input_embeddings(self) -> nn.Module:
        """Return the base model's."""
        return self.base.get_input_embeddings()

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.base.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights."""
        return self.base.dtype


def _with_peft(lm: LanguageModel, config, seed: int):
    """Return PEFT's model around ``lm.model``, its start drawn by ``seed``."""
    from peft import get_peft_model

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT's, about its own imports
        torch.random.default_generator.manual_seed(seed)
        return get_peft_model(lm.model, config).eval()


def _trained(adapted) -> list[nn.Parameter]:
    return [p for p in adapted.parameters() if p.requires_grad]
