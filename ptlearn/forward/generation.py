"""What a causal model writes after a prompt."""

from ..templates.batching import embed, pad
from .batches import batches_by_length, check_at_least_one
from .scoring import as_rows, inference, not_finite


def generate(prompted, rows, max_new_tokens: int, batch_size: int) -> list[str]:
    """Write on from each row's prompt, greedily, to a line's end.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
        Of a causal model.
    rows : Dataset, DataFrame or iterable of dict
        With the template's columns.
    max_new_tokens : int
        Most tokens that are written for a row.

    Returns
    -------
    list of str
        In the order of the rows.

    Raises
    ------
    DataError
        If ``max_new_tokens`` or ``batch_size`` is below 1, a row lacks a column, or its
        prompt and ``max_new_tokens`` are longer than the model's context window.
    PromptError
        If the prompt's table holds NaN or infinite numbers.
    """
    check_at_least_one("max_new_tokens", max_new_tokens)
    rows, tokens, lm = as_rows(rows), prompted.tokens, prompted.lm
    prompts = [tokens.prompt_ids(row)[0] for row in rows]
    for row, ids in zip(rows, prompts, strict=True):
        tokens.check_length(len(ids), row, max_new_tokens)
    written = [""] * len(rows)
    with inference(prompted):
        table = prompted.prompt_embeddings()
        if table is not None and not table.isfinite().all():
            raise not_finite(prompted, table, list(range(len(rows))))
        for batch in batches_by_length([len(ids) for ids in prompts], batch_size):
            ids, mask = pad([prompts[i] for i in batch], "left", lm.device)
            new_ids = lm.model.generate(
                inputs_embeds=embed(lm, ids, table),
                attention_mask=mask,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=lm.tokenizer.pad_token_id,
            )
            texts = lm.tokenizer.batch_decode(new_ids, skip_special_tokens=True)
            for i, text in zip(batch, texts, strict=True):
                written[i] = (text.strip().splitlines() or [""])[0]
    return written
