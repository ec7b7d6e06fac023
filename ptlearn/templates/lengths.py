"""How long rows are as the model reads them, and texts cut to a budget of tokens."""

from collections.abc import Iterable

from ..errors import DataError, ModelError
from ..lm.language_model import LanguageModel
from .language import Template
from .tokenization import TemplateTokens

KEEP = ("start", "end")


def token_lengths(
    lm: LanguageModel,
    template: Template | str,
    rows: Iterable[dict],
    answers: Iterable[str] = (),
) -> list[int]:
    """Count the tokens of each row: its fields, the words and the virtual tokens.

    Nothing is refused here, however long. Elsewhere a row that is longer than
    ``lm.context_window`` is an error: ptlearn never cuts a text by itself.

    Parameters
    ----------
    lm : LanguageModel
    template : Template or str
    rows : Dataset or iterable of dict
        With the template's columns.
    answers : iterable of str
        Room for the longest of them is counted too. None: for an answer of one token.

    Raises
    ------
    DataError
        If a row lacks a column.
    """
    template = template if isinstance(template, Template) else Template(template)
    tokens = TemplateTokens(lm, template)
    room = max((len(tokens.answer_ids(a)) for a in answers), default=1)
    # A causal model need not read the last token that it is to predict.
    beyond = room - 1 if lm.kind == "causal" else 0
    found = (tokens.prompt_ids(dict(row), num_masks=room)[0] for row in rows)
    return [len(ids) + beyond for ids in found]


def shorten(
    lm: LanguageModel, text: str, max_tokens: int, *, keep: str = "start"
) -> str:
    """Cut a text to at most ``max_tokens`` tokens; a shorter one stays as it is.

    Parameters
    ----------
    lm : LanguageModel
        Its tokenizer counts.
    text : str
    max_tokens : int
        At least 1.
    keep : "start" or "end"
        Which part stays.

    Returns
    -------
    str
        A beginning or an end of the text, in whole characters: empty where the first
        one alone has more tokens.

    Raises
    ------
    DataError
        If ``max_tokens`` or ``keep`` is not allowed.
    ModelError
        If the tokenizer does not say where in the text its tokens lie.
    """
    if max_tokens < 1:
        raise DataError(f"max_tokens must be 1 or more, not {max_tokens}.")
    if keep not in KEEP:
        raise DataError(f'keep must be "start" or "end", not {keep!r}.')
    if not lm.tokenizer.is_fast:
        raise ModelError(
            f"the tokenizer of {lm.name} does not say where its tokens lie in a text, "
            "so it cannot be cut at one: cut by words instead."
        )
    while True:
        # Cut within a word, the rest may be other tokens, and more: so look again.
        spans = lm.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True
        )["offset_mapping"]
        if len(spans) <= max_tokens:
            return text
        # All tokens of a rare character have its span: it goes or stays as a whole.
        if keep == "start":
            last, after = spans[max_tokens - 1], spans[max_tokens]
            text = text[: last[1] if last[1] <= after[0] else last[0]].rstrip()
        else:
            before, first = spans[-max_tokens - 1], spans[-max_tokens]
            text = text[first[0] if before[1] <= first[0] else first[1] :].lstrip()
