"""From many token sequences to one padded batch of vectors."""

from collections.abc import Sequence

import torch
from torch import LongTensor, Tensor

from ..lm.language_model import LanguageModel


def pad(
    sequences: Sequence[Sequence[int]], side: str, device=None
) -> tuple[LongTensor, Tensor]:
    """Put sequences of different length into one tensor.

    Parameters
    ----------
    sequences : sequence of sequences of int
    side : "left" or "right"
        Where the padding goes.

    Returns
    -------
    ids : LongTensor, shape (n, longest)
        Padding is token 0; the mask says where.
    mask : LongTensor, shape (n, longest)
        1 for a token, 0 for padding.
    """
    longest = max(map(len, sequences))
    ids = torch.zeros(len(sequences), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        where = slice(longest - len(sequence), None)
        if side == "right":
            where = slice(0, len(sequence))
        ids[row, where] = torch.tensor(sequence, dtype=torch.long)
        mask[row, where] = 1
    return ids.to(device), mask.to(device)


def embed(lm: LanguageModel, ids: LongTensor, table: Tensor | None) -> Tensor:
    """Look up word embeddings, with the prompt table's vectors at the virtual places.

    Parameters
    ----------
    ids : LongTensor, shape (...)
        Token ids; virtual token ``s`` is ``-(s + 1)``.
    table : Tensor, shape (num_virtual_tokens, token_dim), or None
        The gradient flows into it and into nothing else.

    Returns
    -------
    Tensor, shape (..., token_dim)
    """
    words = lm.embed(ids.clamp(min=0))
    if table is None:
        return words
    prompt = torch.nn.functional.embedding((-ids - 1).clamp(min=0), table.to(words))
    return torch.where((ids < 0).unsqueeze(-1), prompt, words)
