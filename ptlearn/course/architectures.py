"""Which architectures work: small random models of many kinds, tried out.

Nothing is downloaded. Each model has two narrow layers, random weights and the
vocabulary of the invented world (`tasks.worlds`), so that a whole round (template,
tuner, two steps of training, fold, predict, save, load) takes a fraction of a second.
"""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import torch

from ..errors import ModelError
from ..lm.language_model import LanguageModel
from ..lm.load import random_model
from ..prompts.prompt import Prompt
from ..prompts.tuner import PromptTuner
from ..tasks.task import Task
from ..tasks.worlds import world_dir, world_task
from ..training.fit import fit

_COMMON = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
_GROUPED = _COMMON | {"num_key_value_heads": 2, "head_dim": 8}
_STATES = {"hidden_size": 32, "num_hidden_layers": 2}
ARCHITECTURES = {
    # name: (class of transformers, settings, a model of this kind on the Hub)
    "GPT-2": (
        "GPT2LMHeadModel",
        {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64},
        "openai-community/gpt2",
    ),
    "OPT, narrow embedding": (
        "OPTForCausalLM",
        _COMMON | {"ffn_dim": 64, "word_embed_proj_dim": 16},
        "facebook/opt-350m",
    ),
    "BLOOM": (
        "BloomForCausalLM",
        {"hidden_size": 32, "n_layer": 2, "n_head": 4},
        "bigscience/bloom-560m",
    ),
    "Llama": ("LlamaForCausalLM", _GROUPED, "HuggingFaceTB/SmolLM2-135M"),
    "Qwen2": (
        "Qwen2ForCausalLM",
        _COMMON | {"num_key_value_heads": 2},
        "Qwen/Qwen2.5-0.5B",
    ),
    "Qwen3": ("Qwen3ForCausalLM", _GROUPED, "Qwen/Qwen3-0.6B"),
    "Gemma": ("GemmaForCausalLM", _GROUPED, "google/gemma-2b"),
    "Gemma 3": ("Gemma3ForCausalLM", _GROUPED, "google/gemma-3-270m"),
    "Phi": ("PhiForCausalLM", _COMMON, "microsoft/phi-1_5"),
    "Mamba": (
        "MambaForCausalLM",
        _STATES | {"state_size": 8},
        "state-spaces/mamba-130m-hf",
    ),
    "RWKV": (
        "RwkvForCausalLM",
        _STATES | {"attention_hidden_size": 32},
        "RWKV/rwkv-4-169m-pile",
    ),
    "BERT": ("BertForMaskedLM", _COMMON, "google-bert/bert-base-uncased"),
    "RoBERTa": ("RobertaForMaskedLM", _COMMON, "FacebookAI/roberta-base"),
    "ALBERT, narrow embedding": (
        "AlbertForMaskedLM",
        _COMMON | {"embedding_size": 16},
        "albert/albert-base-v2",
    ),
    "ModernBERT": ("ModernBertForMaskedLM", _COMMON, "answerdotai/ModernBERT-base"),
}
TEMPLATES = {
    "causal": "[V:2] {subject} is [V:2] {answer}",
    "masked": "[V:2] {subject} is [V:2] {answer} [V] .",
}
"""A mixed prompt for each kind; the masked one has a virtual token after the answer."""


def small_lm(name: str) -> LanguageModel:
    """Make a small language model of an architecture, with seeded random weights.

    Parameters
    ----------
    name : str
        A key of ``ARCHITECTURES``.
    """
    import transformers

    class_name, settings, _ = ARCHITECTURES[name]
    model_class = getattr(transformers, class_name)
    kind = "masked" if class_name.endswith("ForMaskedLM") else "causal"
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        world_dir() / f"world-{kind}", local_files_only=True
    )
    first, last = tokenizer.bos_token_id, tokenizer.eos_token_id
    special = {"pad": tokenizer.pad_token_id, "bos": first, "eos": last}
    special |= {"cls": first, "sep": last}
    config = model_class.config_class(
        vocab_size=len(tokenizer),
        **settings,
        **{f"{name}_token_id": place for name, place in special.items()},
    )
    model = random_model(model_class, config, seed=0).requires_grad_(False).eval()
    return LanguageModel(model, tokenizer, kind, name)


def try_architecture(name: str) -> dict[str, str]:
    """Take a small model through a whole round, and say how it went.

    Returns
    -------
    dict
        ``architecture``, ``kind``, ``on the Hub``; ``forward``: "fast" where parts of a
        prompt are read once for many rows, else "plain"; ``result``: "works", or the
        words in which ptlearn refuses it.

    Raises
    ------
    AssertionError
        If the round ends and something is wrong: a fold that changes an answer, or a
        row whose score depends on the rows beside it.
    """
    lm = small_lm(name)
    said = {"architecture": name, "kind": lm.kind, "on the Hub": ARCHITECTURES[name][2]}
    try:
        with _quiet():
            prompt = _round(lm)
    except ModelError as error:
        return said | {"forward": "", "result": str(error)}
    forward = "fast" if prompt._plan.fast else "plain"
    return said | {"forward": forward, "result": "works"}


def architecture_table() -> pd.DataFrame:
    """Try every architecture; one line each, as :func:`try_architecture` says."""
    return pd.DataFrame(map(try_architecture, ARCHITECTURES)).set_index("architecture")


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what the table says anyway, and advice to install faster kernels."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*plain, slower forward")
            yield
    finally:
        logging.set_verbosity(before)


def _round(lm: LanguageModel) -> Prompt:
    """Train, fold, score, predict, save and load; check what must be equal."""
    rows = list(world_task().test)[:4]
    # Subjects of different length, so that a batch is padded.
    rows = [dict(r, subject=r["subject"] + " the" * i) for i, r in enumerate(rows)]
    task = Task.from_rows(rows, dev=rows)
    tuner = PromptTuner(lm, TEMPLATES[lm.kind], encoder="lstm")
    start = tuner.prompt_embeddings().detach()
    fit(tuner, task, steps=2, evaluate_every=1, metric="loss", progress=False)
    prompt = tuner.fold()
    moved = (prompt.prompt_embeddings() - start).abs().sum(dim=1)
    assert (moved > 0).all(), f"{lm.name}: a virtual token was not trained"
    scores = prompt.answer_log_probs(rows)
    assert torch.equal(scores, tuner.answer_log_probs(rows)), f"{lm.name}: fold"
    alone = torch.cat([prompt.answer_log_probs([row]) for row in rows])
    assert torch.allclose(alone, scores, atol=1e-4), f"{lm.name}: batch mates"
    with tempfile.TemporaryDirectory() as folder:
        again = Prompt.load(prompt.save(folder), lm)
    assert again.predict(rows) == prompt.predict(rows), f"{lm.name}: save and load"
    return prompt
