"""Loading a frozen language model: the embedded one, a Hub id, a local folder."""

import copy
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from ..errors import ModelError
from .bfloat16 import has_bfloat16_instructions, multiply_in_bfloat16
from .fetch import SMOLLM2, fetch
from .language_model import LanguageModel
from .names import folder_or_hub_id, why_not_loaded

TOKENIZER_FOLDER = Path(__file__).parent / "smollm2-tokenizer"
MODEL_CLASSES = {"causal": AutoModelForCausalLM, "masked": AutoModelForMaskedLM}
DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.float32,  # of all but the products of linear layers
    "float64": torch.float64,
}


def load_lm(
    name: str = SMOLLM2.name,
    *,
    device: str = "auto",
    dtype: str = "float32",
    kind: str | None = None,
) -> LanguageModel:
    """Load a frozen language model.

    Parameters
    ----------
    name : str
        "smollm2-135m" (the embedded model, downloaded on first use), "tiny" (a
        small random one with the same tokenizer, for dry runs), "world-causal",
        "world-masked" or "world-causal-2m" (trained on an invented world, see
        `tasks.worlds`), a local folder in the transformers format, or a Hub id.
    device : str
        "auto" is CUDA if there is one, else the CPU. Apple's "mps" only when asked
        for, because its numbers differ.
    dtype : str
        "float32", "float64" or "bfloat16". The last is for the frozen linear layers
        alone, for their weights and products: embeddings, norms, attention, logits and
        loss stay in float32. It halves the memory of those weights, and is meant for
        processors with instructions for it (``ptlearn doctor`` says whether); on
        others it is slower. Answers move by some hundredths of a nat, with the rows
        beside them too. After a prompt that is no language yet, such as an encoder's
        before training, single ones move by a nat and a gradient may turn. A prompt
        tuned in one dtype may be used in another.
    kind : str, optional
        "causal" or "masked". None reads it from the model's config.

    Raises
    ------
    ModelError
        A name, device, dtype or kind that does not fit, or an embedded model that
        cannot be downloaded.

    Warns
    -----
    UserWarning
        For "bfloat16" on a device that only imitates it.
    """
    name, dtype = str(name), str(dtype).removeprefix("torch.")
    place, number_type = find_device(device), _dtype(dtype)
    if place.type == "mps" and number_type is torch.float64:
        raise ModelError('device "mps" has no float64; use the CPU for float64.')
    if kind not in (None, *MODEL_CLASSES):
        raise ModelError(f'kind={kind!r} is not one of "causal", "masked", None.')
    if name == "tiny":
        model, tokenizer, kind = *_tiny(), _agree("tiny", "causal", kind)
    else:
        embedded = name == SMOLLM2.name
        where = fetch(every_hash=False) if embedded else folder_or_hub_id(name)
        model, tokenizer, kind = _pretrained(name, str(where), number_type, kind)
    _give_pad_token(tokenizer)
    model = model.to(number_type)
    if dtype == "bfloat16":
        _warn_of_slow_bfloat16(place)
        multiply_in_bfloat16(model)
    return LanguageModel(_frozen(model, place), tokenizer, kind, name)


def random_lm_like(lm: LanguageModel, seed: int = 0) -> LanguageModel:
    """Return a model of the same architecture with random weights, as a control.

    What it scores on a task comes from the task and the prompt, not from
    anything the language model has learnt.

    Parameters
    ----------
    lm : LanguageModel
        The model whose architecture, tokenizer, device and dtype are taken.
    seed : int
        The same seed draws the same weights.
    """
    config = copy.deepcopy(lm.model.config)
    model = random_model(type(lm.model), config, seed).to(lm.dtype)
    if lm.product_dtype == torch.bfloat16:
        multiply_in_bfloat16(model)
    name = f"{lm.name}, random weights"
    return LanguageModel(_frozen(model, lm.device), lm.tokenizer, lm.kind, name)


def random_model(
    model_class: type[PreTrainedModel], config: PretrainedConfig, seed: int
) -> PreTrainedModel:
    """Make a model with seeded random weights; the global generator stays as it is."""
    with torch.random.fork_rng(devices=[]):
        # not torch.manual_seed, which would reseed the GPUs too
        torch.random.default_generator.manual_seed(seed)
        return model_class(config)


def _frozen(model: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    return model.to(device).requires_grad_(False).eval()


def _tiny() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER_FOLDER, local_files_only=True)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        # wide enough for answers to differ visibly
        initializer_range=0.1,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return random_model(LlamaForCausalLM, config, seed=0), tokenizer


def _pretrained(
    name: str, where: str, dtype: torch.dtype, kind: str | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, str]:
    local = Path(where).is_dir()
    # A folder is never looked up on the Hub; nothing runs code that came along.
    common = {"local_files_only": local, "trust_remote_code": False}
    try:
        # A download keeps its bar; reading a folder is over in a second.
        with _no_bars() if local else nullcontext():
            config = AutoConfig.from_pretrained(where, **common)
            if getattr(config, "is_encoder_decoder", False):
                raise ModelError(
                    f"{name!r} is an encoder-decoder; ptlearn takes causal and masked "
                    "language models."
                )
            kind = _agree(name, _kind(config), kind)
            tokenizer = AutoTokenizer.from_pretrained(where, **common)
            model, loading = MODEL_CLASSES[kind].from_pretrained(
                where,
                config=config,
                dtype=dtype,
                use_safetensors=True,  # pickled weights can run code
                output_loading_info=True,
                **common,
            )
    except ModelError:
        raise
    except Exception as error:  # what a damaged config raises is of any kind
        raise ModelError(why_not_loaded(name, error)) from error
    _refuse_incomplete(name, kind, tokenizer, loading["missing_keys"])
    return model, tokenizer, kind


@contextmanager
def _no_bars() -> Iterator[None]:
    """Hide transformers' own bars for steps that are over in seconds."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _refuse_incomplete(
    name: str, kind: str, tokenizer: PreTrainedTokenizerBase, missing: set[str]
) -> None:
    if missing:
        raise ModelError(
            f"{name!r} has no weights for {', '.join(sorted(missing)[:3])}: it is not "
            f"a whole {kind} language model, and what is missing would be random."
        )
    if kind == "masked" and tokenizer.mask_token_id is None:
        raise ModelError(f"{name!r} is masked, but its tokenizer has no mask token.")


def _kind(config: PretrainedConfig) -> str | None:
    """Read "causal" or "masked" from the names of the classes it was saved from."""
    for architecture in config.architectures or ():
        if architecture.endswith("ForMaskedLM"):
            return "masked"
        if architecture.endswith(("ForCausalLM", "LMHeadModel")):
            return "causal"
    return None


def _agree(name: str, found: str | None, asked: str | None) -> str:
    if found and asked and found != asked:
        raise ModelError(f"{name!r} is a {found} language model, not kind={asked!r}.")
    if not (found or asked):
        raise ModelError(
            f"The config of {name!r} does not say whether the model is causal or "
            'masked. Say it: load_lm(..., kind="causal") or kind="masked".'
        )
    return found or asked


def find_device(device: str) -> torch.device:
    """Return the device of this name, or the best one there is for "auto".

    Raises
    ------
    ModelError
        If it cannot be used here.
    """
    if device == "auto":
        if not torch.cuda.is_available():
            return torch.device("cpu")
        # `accelerate launch` starts a process for each GPU and numbers them so.
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise ModelError(
            f"device={device!r} cannot be used here: {error}. "
            'Use "auto", "cpu", "cuda", "cuda:1" or "mps".'
        ) from error
    return place


def _dtype(dtype: str) -> torch.dtype:
    if dtype not in DTYPES:
        raise ModelError(f"dtype={dtype!r} is not one of {', '.join(DTYPES)}.")
    return DTYPES[dtype]


def _warn_of_slow_bfloat16(device: torch.device) -> None:
    if not has_bfloat16_instructions(device):
        warnings.warn(
            f"no bfloat16 instructions are known of this {device.type}: "
            'dtype="bfloat16" saves memory here, but is likely slower than "float32"',
            stacklevel=3,
        )


def _give_pad_token(tokenizer: PreTrainedTokenizerBase) -> None:
    """Make padding possible without changing the vocabulary.

    Which token pads is of no account: padding is masked out everywhere.
    """
    if tokenizer.pad_token is None:
        tokenizer.pad_token = (
            tokenizer.eos_token
            or tokenizer.unk_token
            or tokenizer.convert_ids_to_tokens(0)
        )
