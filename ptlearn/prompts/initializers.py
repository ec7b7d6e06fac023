"""Where the virtual tokens start: at random, or at words.

Starting at words is in neither the P-Tuning paper nor its code. It comes from Lester et
al. 2021 (sampled vocabulary, class labels) and from later libraries. The paper's own
code draws from N(0, 1), about an order of magnitude wider than the embeddings of real
words; so ``"normal"`` takes the model's own spread.
"""

from operator import index

import torch
from torch import Tensor

from ..errors import PromptError
from ..lm.language_model import LanguageModel
from ..tasks.task import Task
from ..templates.segments import SegmentTokenizer

NAMES = ("normal", "paper", "vocabulary", "task", "answers")


def initial_table(
    init: str | Tensor,
    lm: LanguageModel,
    num_virtual_tokens: int,
    *,
    task: Task | None = None,
    seed: int = 0,
) -> Tensor:
    """Return the vectors that training starts from.

    Parameters
    ----------
    init : str or Tensor
        ``"normal"``: normal with the standard deviation of the LM's embeddings.
        ``"paper"``: N(0, 1). ``"vocabulary"``: embeddings of sampled tokens.
        ``"words: capital city of"``: embeddings of these words, repeated as needed.
        ``"task"``: words of the task's description. ``"answers"``: its answer words.
        A tensor of shape (num_virtual_tokens, token_dim), which is copied.
    num_virtual_tokens : int
    task : Task, optional
        Needed by ``"task"`` and ``"answers"``.
    seed : int
        Random starts are drawn from it; the program's random state is left alone.

    Returns
    -------
    Tensor, shape (num_virtual_tokens, token_dim)
        float32, or float64 for a model in float64, on the LM's device.

    Raises
    ------
    PromptError
        If ``init`` is unknown, has the wrong shape, or lacks its task or words.
    """
    shape = (num_virtual_tokens, lm.token_dim)
    dtype = torch.float64 if lm.dtype == torch.float64 else torch.float32
    _check_kind(init)
    if isinstance(init, Tensor):
        if tuple(init.shape) != shape:
            raise PromptError(
                f"init has shape {tuple(init.shape)}, but (num_virtual_tokens, "
                f"token_dim) is {shape}"
            )
        # A copy, because context words are written into it; contiguous for checkpoints.
        return init.detach().to(lm.device, dtype, copy=True).contiguous()
    generator = torch.Generator().manual_seed(index(seed))
    if init in ("normal", "paper"):
        scale = 1.0 if init == "paper" else lm.embedding_std
        table = scale * torch.randn(shape, generator=generator, dtype=dtype)
    else:
        ids = _token_ids(init, lm, num_virtual_tokens, task, generator)
        table = word_vectors(lm, ids)
    return table.to(lm.device, dtype)


def word_vectors(lm: LanguageModel, ids: list[int]) -> Tensor:
    """Return a copy of the embeddings of token ids, shape (len(ids), token_dim)."""
    return lm.embed(torch.tensor(ids, dtype=torch.long, device=lm.device)).detach()


def _check_kind(init) -> None:
    if isinstance(init, Tensor):
        return
    is_text = isinstance(init, str)
    if not is_text or not (init in NAMES or init.startswith("words:")):
        shown = repr(init) if is_text else f"of type {type(init).__name__}"
        names = ", ".join(f'"{name}"' for name in NAMES)
        raise PromptError(
            f'unknown init {shown}; allowed: {names}, "words: some words", or a tensor'
        )


def _token_ids(
    init: str,
    lm: LanguageModel,
    count: int,
    task: Task | None,
    generator: torch.Generator,
) -> list[int]:
    """Return ``count`` token ids; where there are too few, they are repeated."""
    if init == "vocabulary":
        size = lm.model.get_input_embeddings().num_embeddings
        special = set(lm.tokenizer.all_special_ids)
        order = torch.randperm(size, generator=generator).tolist()
        ids = [i for i in order if i not in special]
    else:
        words = _words(init, task, generator)
        # As in [V:"words"]: behind other text, without a mark of a text's start.
        ids = SegmentTokenizer(lm)(" " + words) if words.strip() else ()
    if not ids:
        raise PromptError(f"init {init!r} has no words to start from")
    return [ids[i % len(ids)] for i in range(count)]


def _words(init: str, task: Task | None, generator: torch.Generator) -> str:
    if init.startswith("words:"):
        return init.removeprefix("words:").strip()
    if task is None:
        raise PromptError(f"init={init!r} needs the task: PromptTuner(..., task=task)")
    if init == "task":
        if not task.description:
            raise PromptError(f"task {task.name!r} has no description to take words of")
        return task.description
    # Shuffled, so that a few virtual tokens do not all start at answers with an A.
    order = torch.randperm(len(task.answers), generator=generator).tolist()
    return " ".join(task.answers[i] for i in order)
