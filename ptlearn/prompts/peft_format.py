"""Folded prompts written in PEFT's file format, and PEFT's prompts read as ours.

PEFT (Hugging Face's library for parameter-efficient fine-tuning) keeps a prompt as one
table of vectors, and puts them before everything else. So only a template whose virtual
tokens all come first can go to PEFT or come from it.
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

from ..errors import PromptError
from ..files import write_atomically
from ..lm.language_model import LanguageModel
from ..templates.language import Template
from ..templates.tokenization import TemplateTokens
from .prompt import Prompt

TABLE, CONFIG = "adapter_model.safetensors", "adapter_config.json"
KEY = "prompt_embeddings"
PEFT_TYPES = ("PROMPT_TUNING", "P_TUNING")
"""Methods whose saved adapter is a table of virtual tokens and nothing else."""


def to_peft(prompt: Prompt, folder: str | Path) -> Path:
    """Write a folded prompt as an adapter that ``PeftModel.from_pretrained`` loads.

    PEFT keeps the table alone, not the template's words: give its model the tokens that
    come after the virtual ones, one row at a time or padded on the right.

    Parameters
    ----------
    prompt : Prompt
        Whose virtual tokens all come first.
    folder : path
        Gets ``adapter_model.safetensors`` and ``adapter_config.json``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    PromptError
        If PEFT cannot express the prompt; the message says why.
    OSError
        If the folder cannot be written; an adapter that was there is left as it was.
    """
    if not isinstance(prompt, Prompt):
        raise PromptError(
            f"to_peft needs a folded prompt, not a {type(prompt).__name__}: "
            "fold first, to_peft(tuner.fold(), folder)"
        )
    if prompt.prompt_embeddings() is None:
        raise PromptError(
            f"{prompt.template.text!r} has no virtual tokens: there is nothing to "
            "write for PEFT"
        )
    _refuse_what_peft_cannot_express(prompt.tokens)
    table, folder = prompt.prompt_embeddings().cpu().contiguous(), Path(folder)
    identity = {"lm_fingerprint": prompt.lm.fingerprint}
    # Both are written out before either takes its place: a full disk changes neither.
    with (
        write_atomically(folder / TABLE) as new_table,
        write_atomically(folder / CONFIG) as new_config,
    ):
        new_table.write_bytes(save({KEY: table}, metadata=identity))
        config = json.dumps(_config(prompt), indent=2)
        new_config.write_text(config + "\n", encoding="utf-8")
    return folder


def _config(prompt: Prompt) -> dict:
    """Return the entries that PEFT needs, and none that an older PEFT would refuse."""
    shape = prompt.lm.model.config.get_text_config()
    return {
        "peft_type": "PROMPT_TUNING",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": prompt.lm.name,
        "inference_mode": True,
        "num_virtual_tokens": prompt.num_virtual_tokens,
        "token_dim": prompt.lm.token_dim,
        "num_transformer_submodules": 1,
        "num_attention_heads": shape.num_attention_heads,
        "num_layers": shape.num_hidden_layers,
    }


def from_peft(
    folder: str | Path,
    lm: LanguageModel,
    template: Template | str,
    *,
    answers: list[str] | None = None,
) -> Prompt:
    """Read a prompt that PEFT saved (prompt tuning or P-tuning) as a Prompt.

    PEFT saves the table that its encoder computes, so nothing is left to fold. Only
    safetensors and JSON are read.

    Parameters
    ----------
    folder : path
        With ``adapter_model.safetensors`` and ``adapter_config.json``.
    lm : LanguageModel
        The causal model it was trained on.
    template : Template or str
        The words around the table, which PEFT does not keep; all virtual tokens first.
    answers : list of str, optional
        What ``predict`` chooses from.

    Raises
    ------
    PromptError
        If the folder holds no such adapter, or the adapter does not fit the template or
        the model; the message has the numbers.
    """
    folder = Path(folder)
    template = Template(template) if isinstance(template, str) else template
    tokens = TemplateTokens(lm, template)
    _refuse_what_peft_cannot_express(tokens)
    config, table, identity = _read(folder)
    if config.get("peft_type") not in PEFT_TYPES:
        raise PromptError(
            f"the adapter in {folder} is {config.get('peft_type')}, not one of "
            f"{' or '.join(PEFT_TYPES)}: it holds more than a table of virtual tokens"
        )
    found, wanted = tuple(table.shape), (tokens.num_virtual_tokens, lm.token_dim)
    if found != wanted:
        raise PromptError(
            f"the adapter in {folder} has a table of shape {found} (virtual tokens, "
            f"width); the template {template.text!r} under {lm.name} needs {wanted}"
        )
    # None: PEFT's own files do not say which weights they were trained on. The
    # embeddings' fingerprint: what earlier versions of ptlearn wrote.
    own = (None, lm.fingerprint, lm.embedding_fingerprint)
    if identity.get("lm_fingerprint") not in own:
        raise PromptError(
            f"the adapter in {folder} was made for "
            f"{config.get('base_model_name_or_path')!r}, this is {lm.name!r} with "
            "other weights: a prompt fits one model, so load that"
        )
    return Prompt(lm, template, table, answers=answers)


def _read(folder: Path) -> tuple[dict, torch.Tensor, dict]:
    """Read the adapter's config, its table, and what its file says of itself."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        with safe_open(folder / TABLE, "pt") as file:
            keys, identity = list(file.keys()), file.metadata() or {}
            table = file.get_tensor(KEY) if keys == [KEY] else None
    except FileNotFoundError as error:
        missing = error.filename or folder / TABLE
        raise PromptError(f"no adapter of PEFT in {folder}: {missing}") from error
    except Exception as error:  # the parsers raise kinds of their own
        raise PromptError(f"the adapter in {folder} is damaged: {error}") from error
    if not isinstance(config, dict):
        raise PromptError(f"the adapter in {folder} is damaged: {CONFIG} is no object")
    if table is None:
        shown = ", ".join(sorted(keys)[:3])
        raise PromptError(
            f"the adapter in {folder} holds {shown} (keys: {len(keys)}), where a "
            f"prompt has the one key {KEY!r}"
        )
    return config, table, identity


def _refuse_what_peft_cannot_express(tokens: TemplateTokens) -> None:
    lm, text = tokens.lm, tokens.template.text
    if lm.kind != "causal":
        raise PromptError(
            f"{lm.name} is a masked language model, and PEFT has no task type for it"
        )
    ids, _ = tokens.prompt_ids(dict.fromkeys(tokens.template.fields, "x"))
    special = lm.tokenizer.all_special_ids
    start = next((i for i, t in enumerate(ids) if t not in special), len(ids))
    count = tokens.num_virtual_tokens
    if ids[start : start + count] != [-(slot + 1) for slot in range(count)]:
        raise PromptError(
            f"PEFT cannot express {text!r}: it puts all virtual tokens before "
            "everything else, and here some come after words or fields. Templates "
            'such as "[V:5] {subject} is in {answer}" can go there and back'
        )
    if start:
        token = lm.tokenizer.convert_ids_to_tokens(ids[0])
        raise PromptError(
            f"PEFT cannot express {text!r} under {lm.name}: its tokenizer starts each "
            f"text with {token!r}, and PEFT puts virtual tokens even before that"
        )
