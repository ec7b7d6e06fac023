"""Where the answer's place looks: the attention weights of a prompt.

They say how much of each place a head of a layer reads, not what a place contributes to
the answer (Jain and Wallace 2019, "Attention is not Explanation").
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import torch
from transformers import PreTrainedModel

from ..errors import ModelError
from ..forward import scoring
from ..templates.batching import embed

COLUMNS = ["layer", "head", "place", "token", "virtual", "weight"]


def answer_attention(prompted, row: dict) -> pd.DataFrame:
    """Return the attention from the place where a row's answer is read.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    row : dict
        With the template's columns and ``answer``; an answer of several tokens is
        looked at where its first one is read.

    Returns
    -------
    DataFrame, one line for each layer, head and place
        Columns ``layer``; ``head``; ``place``, counted from 0; ``token``, the text
        that stands there, or ``h0`` for virtual token 0; ``virtual``; ``weight``, the
        share that the head reads of this place. The weights of one head add up to 1.
        In a causal model the last place is the answer's own.

    Raises
    ------
    DataError
        If the row lacks a column or an answer, or is too long.
    ModelError
        If the model returns no attention weights.
    """
    lm, example = prompted.lm, prompted.tokens.encode(row)
    ids = torch.tensor(example.ids, device=lm.device)
    with scoring.inference(prompted), _weights_kept(lm.model):
        vectors = embed(lm, ids, prompted.prompt_embeddings())
        layers = lm.model(inputs_embeds=vectors[None], output_attentions=True)
    if not layers.attentions or layers.attentions[0] is None:
        raise ModelError(
            f"{lm.name} returns no attention weights: choose a model with attention "
            "layers that supports output_attentions"
        )
    # A causal model sees nothing of what comes after the place.
    end = example.first_target + 1 if lm.kind == "causal" else len(ids)
    weights = torch.stack([layer[0] for layer in layers.attentions])
    weights = weights[:, :, example.first_target, :end].double().cpu()
    index = pd.MultiIndex.from_product(map(range, weights.shape), names=COLUMNS[:3])
    frame = pd.DataFrame({"weight": weights.flatten()}, index=index).reset_index()
    codes = list(example.ids[:end])
    texts = [f"h{-c - 1}" if c < 0 else lm.tokenizer.decode([c]) for c in codes]
    frame["token"] = frame["place"].map(dict(enumerate(texts)))
    frame["virtual"] = frame["place"].map(dict(enumerate(c < 0 for c in codes)))
    return frame[COLUMNS]


@contextmanager
def _weights_kept(model: PreTrainedModel) -> Iterator[None]:
    """Let the model compute attention step by step: fast kernels keep no weights."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)
