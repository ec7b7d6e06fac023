"""Log-probabilities of all answers, or of the whole vocabulary, for each row.

``answer_trie`` looks for the best answer and leaves out what cannot win. Calibration
compares all of them, and label words are chosen among all tokens.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ..lm.language_model import LanguageModel
from .answer_masks import sum_at
from .answer_trie import Ids, log_softmax, read_on
from .batches import batches_with_bar
from .kv_cache import KVCache
from .plan import ForwardPlan
from .scoring import as_rows, candidates_by_ids, inference, not_finite


def all_answers(
    prompted,
    rows,
    answers: Iterable[str],
    *,
    batch_size: int = 16,
    progress: bool = True,
) -> Tensor:
    """Compute the log-probability of each answer after each row.

    Each prompt is read once, and each beginning of answers once after it.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    rows : Dataset, DataFrame or iterable of dict
        With the template's columns; no ``answer`` is needed.
    answers : iterable of str
        Of one or several tokens each.

    Returns
    -------
    Tensor, shape (number of rows, number of answers)
        Natural logarithms, summed over an answer's tokens; in the order of the answers.

    Raises
    ------
    DataError
        If a row lacks a column or is too long, there are no answers, one has no tokens,
        or two have the same.
    PromptError
        If the model's logits are NaN or infinite.
    """
    candidates = list(candidates_by_ids(prompted, answers))
    read = _after_beginnings if prompted.lm.kind == "causal" else _in_masks
    longest = max(candidates, key=len)
    return _in_batches(prompted, rows, longest, batch_size, progress, read, candidates)


def all_tokens(
    prompted, rows, *, batch_size: int = 16, progress: bool = True
) -> Tensor:
    """Compute the log-probability of each token of the vocabulary as the answer.

    A masked model gets one mask.

    Parameters, and what is raised, are those of :func:`all_answers`.

    Returns
    -------
    Tensor, shape (number of rows, vocabulary size)
        Natural logarithms.
    """
    one = (0,)  # any token: only that it is one matters
    return _in_batches(prompted, rows, one, batch_size, progress, _first, None)


def _in_batches(
    prompted, rows, longest: Ids, batch_size: int, progress: bool, read, candidates
) -> Tensor:
    """Let ``read`` work on rows of like length; put its lines in the rows' order."""
    rows, plan = as_rows(rows), prompted._plan
    if not rows:
        width = len(candidates) if candidates else _vocabulary_size(prompted.lm)
        return torch.empty(0, width)
    lengths = [_checked_length(plan, row, longest) for row in rows]
    parts: list[Tensor] = [torch.empty(0)] * len(rows)
    with inference(prompted):
        table = prompted.prompt_embeddings()
        prefix = plan.shared_prefix(table, len(rows))
        for batch in batches_with_bar(lengths, batch_size, progress):
            found = read(plan, table, [rows[i] for i in batch], prefix, candidates)
            for i, line in zip(batch, found.cpu(), strict=True):
                parts[i] = line
    lines = torch.stack(parts)
    bad = lines.isnan().any(dim=1).nonzero().flatten().tolist()
    if bad:
        raise not_finite(prompted, table, bad)
    return lines


def _vocabulary_size(lm: LanguageModel) -> int:
    return lm.model.get_output_embeddings().weight.shape[0]


def _checked_length(plan: ForwardPlan, row: dict, answer: Ids) -> int:
    length = len(plan.tokens.prompt_ids(row, num_masks=len(answer))[0])
    if plan.lm.kind == "causal":
        length += len(answer) - 1
    plan.tokens.check_length(length, row)
    return length


def _first(
    plan: ForwardPlan,
    table: Tensor | None,
    rows: Sequence[dict],
    prefix: KVCache | None,
    _,
) -> Tensor:
    if plan.lm.kind == "masked":
        examples = [plan.tokens.encode_masked(row, 1) for row in rows]
        return log_softmax(plan.logits(table, examples, prefix))
    prompts = [tuple(plan.tokens.prompt_ids(row)[0]) for row in rows]
    return log_softmax(plan.read_prompts(table, prompts, prefix, keep=False)[0])


def _after_beginnings(
    plan: ForwardPlan,
    table: Tensor | None,
    rows: Sequence[dict],
    prefix: KVCache | None,
    candidates: Sequence[Ids],
) -> Tensor:
    """Read on from each proper beginning of an answer, the short ones first."""
    prompts = [tuple(plan.tokens.prompt_ids(row)[0]) for row in rows]
    longer = {ids[:n] for ids in candidates for n in range(1, len(ids))}
    logits, kv_cache = plan.read_prompts(table, prompts, prefix, keep=bool(longer))
    after = log_softmax(logits)
    tokens = sorted({ids[0] for ids in candidates})
    totals = {(token,): after[:, token] for token in tokens}
    for path in sorted(longer, key=len):
        asked = [(row, path) for row in range(len(rows))]
        after = log_softmax(read_on(plan, table, prompts, kv_cache, asked))
        following = {
            ids[len(path)]
            for ids in candidates
            if len(ids) > len(path) and ids[: len(path)] == path
        }
        for token in following:
            totals[(*path, token)] = totals[path] + after[:, token]
    return torch.stack([totals[ids] for ids in candidates], dim=1)


def _in_masks(
    plan: ForwardPlan,
    table: Tensor | None,
    rows: Sequence[dict],
    prefix: KVCache | None,
    candidates: Sequence[Ids],
) -> Tensor:
    """Fill as many masks as an answer has tokens, all of one length at once."""
    columns: dict[Ids, Tensor] = {}
    for length in sorted({len(ids) for ids in candidates}):
        examples = [plan.tokens.encode_masked(row, length) for row in rows]
        log_probs = log_softmax(plan.logits(table, examples, prefix))
        log_probs = log_probs.view(len(rows), length, -1)
        same = [ids for ids in candidates if len(ids) == length]
        ids = torch.tensor(same, device=log_probs.device)
        sums = torch.stack([sum_at(one, ids) for one in log_probs])
        columns |= dict(zip(same, sums.T, strict=True))
    return torch.stack([columns[ids] for ids in candidates], dim=1)
