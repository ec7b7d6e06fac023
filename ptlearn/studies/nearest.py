"""The words nearest to a trained prompt, as a start: an arm of the studies of starts.

Reading a trained prompt by its nearest words is an old habit. If the words carried what
was learnt, they would be a good start; so the studies try it.
"""

import torch
from torch import Tensor

from ..lm.language_model import LanguageModel

TRAINED = {"city_country": "90a62d00e4d162cf", "kind_of": "61a5863ca0a51d76"}
"""The run whose table was read, for each task: the bare arm's first confirming run of
the studies ``facts`` (its fold 0) and ``hypernyms``."""
WORDS = {
    "city_country": "this names That Beck dynamically",
    "kind_of": "The Tall show thick presidential",
}
"""What ``nearest_words`` says of those tables; a test computes it again."""
SHORTEST = 3
"""Letters that a word must have."""


def nearest_words(table: Tensor, lm: LanguageModel) -> str:
    """Return the whole word nearest to each virtual token by cosine, with spaces.

    Parameters
    ----------
    table : Tensor, shape (num_virtual_tokens, token_dim)
    lm : LanguageModel
        One whose tokens begin words with a space, as SmolLM2's do.

    Returns
    -------
    str
        As many words as virtual tokens, of ASCII letters; one may come twice.
    """
    embeddings = lm.model.get_input_embeddings().weight
    names = {i: lm.tokenizer.decode([i]) for i in range(len(embeddings))}
    whole = [
        i
        for i, name in names.items()
        if name.startswith(" ")
        and (name[1:].isascii() and name[1:].isalpha())
        and len(name[1:]) >= SHORTEST
    ]
    matrix = embeddings[torch.tensor(whole, device=lm.device)]
    unit = torch.nn.functional.normalize
    cosines = unit(table.to(matrix), dim=1) @ unit(matrix, dim=1).T
    return "".join(names[whole[i]] for i in cosines.argmax(1).tolist()).strip()
