"""Log-probabilities of answers, for prompts and for tuners alike.

Everything here takes a ``prompted``: an object with ``lm``, ``template``, ``plan`` and
``prompt_embeddings()``, which is a ``Prompt`` or a ``PromptTuner``.
"""

import math
import os
import warnings
from collections import defaultdict
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ..templates.tokenization import Example, embed, pad
from .answer_trie import Ids, TrieSearch
from .kv_cache import ContextCache

SHOW_PROGRESS_AFTER = 2.0
"""Seconds of work before a progress bar appears."""
READ_AT_ONCE = 4096
"""Tokens of kept context that are read on from in one batch: some 190 MB of copies."""


@dataclass
class Scores:
    """What a prompt says of some rows, one entry each.

    Attributes
    ----------
    predicted : list of str
        The most probable of the answers.
    predicted_log_prob : list of float
        Its log-probability, summed over its tokens (natural logarithm).
    gold_log_prob : list of float
        The same of the row's own answer; NaN for a row without one.
    hit : list of bool
        Strict P@1: each token of the row's answer is the most probable of the whole
        vocabulary, the tokens before it being given (teacher forcing).
    """

    predicted: list[str]
    predicted_log_prob: list[float]
    gold_log_prob: list[float]
    hit: list[bool]


@contextmanager
def inference(prompted):
    """No gradients, and no dropout in the encoder of a tuner that is in training."""
    training = getattr(prompted, "training", False)
    if training:
        prompted.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        if training:
            prompted.train()


def as_rows(rows) -> list[dict]:
    """Rows of a Dataset, DataFrame or list as a list of dicts."""
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):  # pandas
        return rows.to_dict("records")
    return [dict(row) for row in rows]


def answer_log_probs(prompted, rows, *, batch_size: int = 16) -> Tensor:
    """Log-probability of each row's answer, summed over its tokens.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    rows : Dataset, DataFrame or iterable of dict
        With the template's columns and ``answer``.

    Returns
    -------
    Tensor, shape (n,)
        Natural logarithms.
    """
    examples = [prompted.tokens.encode(row) for row in as_rows(rows)]
    result = torch.empty(len(examples))
    with inference(prompted):
        table = prompted.prompt_embeddings()
        prefix = prompted._plan.shared_prefix(table)
        for batch in batches_by_length([len(e.ids) for e in examples], batch_size):
            chosen = [examples[i] for i in batch]
            logits = prompted._plan.logits(table, chosen, prefix)
            result[batch] = sum_targets(logits, chosen).cpu().to(result.dtype)
    return result


def sum_targets(logits: Tensor, examples: Sequence[Example]) -> Tensor:
    """Log-probability of each example's targets, summed, shape (len(examples),).

    Parameters
    ----------
    logits : Tensor, shape (total number of target tokens, vocabulary size)
        As ``Plan.logits`` gives them.
    """
    targets = [t for e in examples for t in e.targets]
    owner = [i for i, e in enumerate(examples) for _ in e.targets]
    targets = torch.tensor(targets, device=logits.device)
    log_probs = -torch.nn.functional.cross_entropy(
        _at_least_float32(logits), targets, reduction="none"
    )
    zeros = log_probs.new_zeros(len(examples))
    return zeros.index_add(0, torch.tensor(owner, device=logits.device), log_probs)


def batches_by_length(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Row numbers in batches of like length, so that little is padding."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def no_bar(progress: bool) -> bool | None:
    """What tqdm calls ``disable``: True, or None for "only where somebody looks".

    tqdm itself heeds TQDM_DISABLE on a terminal but not in a notebook, and a notebook
    that is run to be stored would keep the bars for ever.
    """
    silenced = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return True if silenced or not progress else None


def score(
    prompted,
    rows,
    answers: Sequence[str],
    *,
    batch_size: int = 16,
    context_cache: ContextCache | None = None,
    progress: bool = True,
) -> Scores:
    """Find each row's most probable answer, and what its own answer gets.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    rows : Dataset, DataFrame or iterable of dict
        With the template's columns; ``answer`` is used where a row has it.
    answers : sequence of str
        The answers to choose from, of one or several tokens each.
    context_cache : ContextCache, optional
        Keeps frozen contexts for the next pass over the same rows.

    Returns
    -------
    Scores
        In the order of the rows.
    """
    rows, plan = as_rows(rows), prompted._plan
    candidates = {plan.tokens.answer_ids(answer): answer for answer in answers}
    if prompted.lm.kind == "causal":
        _warn_of_beginnings(candidates)
    gold = [
        plan.tokens.answer_ids(str(row["answer"])) if row.get("answer") else ()
        for row in rows
    ]
    longest = max(candidates, key=len)
    lengths = [len(plan.tokens.encode(row, candidates[longest]).ids) for row in rows]
    read = _score_causal if prompted.lm.kind == "causal" else _score_masked
    results: list = [None] * len(rows)
    with inference(prompted):
        table = prompted.prompt_embeddings()
        prefix = plan.shared_prefix(table)
        bar = {"desc": "scoring", "unit": "batch", "delay": SHOW_PROGRESS_AFTER}
        for batch in tqdm(
            batches_by_length(lengths, batch_size),
            **bar,
            leave=False,
            disable=no_bar(progress),
        ):
            chosen = [rows[i] for i in batch], [gold[i] for i in batch]
            found = read(plan, table, *chosen, candidates, prefix, context_cache)
            for i, result in zip(batch, found, strict=True):
                results[i] = result
    columns = zip(*results, strict=True) if results else ([], [], [], [])
    best, best_log_prob, gold_log_prob, hit = map(list, columns)
    return Scores([candidates[ids] for ids in best], best_log_prob, gold_log_prob, hit)


def _warn_of_beginnings(candidates: dict[Ids, str]) -> None:
    """An answer that begins another is never less probable than it."""
    for ids, answer in candidates.items():
        for n in range(1, len(ids)):
            if ids[:n] in candidates:
                warnings.warn(
                    f"the answer {candidates[ids[:n]]!r} is the beginning of "
                    f"{answer!r}, and so always at least as probable: predictions "
                    "never choose the longer one. Rename one of them",
                    stacklevel=4,
                )


def _score_causal(
    plan, table, rows, gold, candidates, prefix, context_cache
) -> list[tuple]:
    children: dict[Ids, list[int]] = defaultdict(list)
    for path in sorted({ids[: n + 1] for ids in candidates for n in range(len(ids))}):
        children[path[:-1]].append(path[-1])
    walks = [TrieSearch(dict(children), candidates, ids) for ids in gold]
    prompts = [tuple(plan.tokens.prompt_ids(row)[0]) for row in rows]
    further = any(len(ids) > 1 for ids in [*candidates, *gold])
    logits, past = plan.read_prompts(
        table, prompts, prefix, context_cache, keep=further
    )
    asked = [(row, ()) for row in range(len(rows))]
    while asked:
        log_probs = _log_softmax(logits)
        for (row, path), distribution in zip(asked, log_probs, strict=True):
            walks[row].learn(path, distribution)
        asked = [(row, path) for row, w in enumerate(walks) for path in w.next_paths()]
        logits = _read_on(plan, table, prompts, past, asked)
    return [(w.best, w.best_log_prob, w.gold_log_prob, w.hit) for w in walks]


def _read_on(plan, table, prompts, past, asked) -> Tensor:
    """Logits after the beginnings of answers, in batches of bounded size."""
    longest = max(map(len, prompts))
    size = max(1, READ_AT_ONCE // longest)
    parts = []
    for start in range(0, len(asked), size):
        rows, paths = zip(*asked[start : start + size], strict=True)
        if past is None:  # no cache to go on from: read it all again
            whole = [prompts[row] + path for row, path in zip(rows, paths, strict=True)]
            parts.append(plan.read(table, whole, keep=False)[0])
        else:
            taken = past.take(torch.tensor(rows, device=past.mask.device))
            parts.append(plan.read(table, paths, taken, keep=False)[0])
    return torch.cat(parts) if parts else torch.empty(0)


def _score_masked(
    plan, table, rows, gold, candidates, prefix, context_cache
) -> list[tuple]:
    """Each answer has its own number of masks, which are filled jointly."""
    found = [[(), -math.inf, math.nan, False] for _ in rows]
    for length in sorted({len(ids) for ids in [*candidates, *gold] if ids}):
        examples = [plan.tokens.encode_masked(row, length) for row in rows]
        logits = _log_softmax(plan.logits(table, examples, prefix, context_cache))
        log_probs = logits.view(len(rows), length, -1)
        same = [ids for ids in candidates if len(ids) == length]
        for row, distribution in enumerate(log_probs):
            if same:
                totals = _sum_at(distribution, torch.tensor(same))
                top = int(totals.argmax())
                if totals[top] > found[row][1]:
                    found[row][:2] = same[top], totals[top].item()
            if len(gold[row]) == length:
                wanted = torch.tensor(gold[row], device=distribution.device)
                found[row][2] = _sum_at(distribution, wanted[None]).item()
                found[row][3] = bool((distribution.argmax(-1) == wanted).all())
    return [tuple(result) for result in found]


def _sum_at(log_probs: Tensor, ids: Tensor) -> Tensor:
    """Sums over positions of (length, vocabulary) at (n, length) ids, shape (n,)."""
    ids = ids.to(log_probs.device)
    return log_probs.gather(1, ids.T).sum(0)


def generate(prompted, rows, max_new_tokens: int, batch_size: int) -> list[str]:
    """What the model writes after each row's prompt, greedily, to a line's end."""
    rows, plan, lm = as_rows(rows), prompted._plan, prompted.lm
    prompts = [plan.tokens.prompt_ids(row)[0] for row in rows]
    written = [""] * len(rows)
    for batch in batches_by_length([len(ids) for ids in prompts], batch_size):
        ids, mask = pad([prompts[i] for i in batch], "left", lm.device)
        with inference(prompted):
            tokens = lm.model.generate(
                inputs_embeds=embed(lm, ids, prompted.prompt_embeddings()),
                attention_mask=mask,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=lm.tokenizer.pad_token_id,
            )
        texts = lm.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        for i, text in zip(batch, texts, strict=True):
            written[i] = (text.strip().splitlines() or [""])[0]
    return written


def _log_softmax(logits: Tensor) -> Tensor:
    return _at_least_float32(logits).log_softmax(-1)


def _at_least_float32(logits: Tensor) -> Tensor:
    # Sums over a vocabulary of 49,152 in bfloat16 would lose two digits of the loss.
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
