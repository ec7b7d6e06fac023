"""What rows and template say before anything is trained: fields, answers, lengths."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from ..errors import DataError
from ..prompts.prompt import Prompt
from ..prompts.tuner import PromptTuner
from ..tasks.task import Task
from ..templates.lengths import token_lengths
from .findings import FAIL, LOOK, OK, Finding

SAME_LENGTH = 0.2
"""Share of texts that end at the very longest length, from which they look cut."""
CODES = 10
"""Different cells, up to which a column holds codes and no texts."""


def data_findings(
    prompted: Prompt | PromptTuner,
    task: Task,
    answers: Sequence[str],
    max_tokens: int | None,
) -> Iterator[Finding]:
    """Yield a finding for each thing that rows and template show.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
    task : Task
    answers : sequence of str
        The candidates: what predictions are chosen from.
    max_tokens : int or None
        The budget of a row; None is the model's context window.
    """
    rows = [row for name in task.splits for row in task.split(name).to_list()]
    fields = prompted.template.fields
    yield _fields(task, fields)
    yield _answers(prompted, rows, answers)
    if set(fields) <= {*task.inputs, "answer"}:
        yield _lengths(prompted, rows, usable_answers(prompted, answers), max_tokens)
        yield _cut(rows, fields)
        yield _splits(task, fields)
        yield _labels(rows, fields)


def usable_answers(prompted: Prompt | PromptTuner, answers: Sequence[str]) -> list[str]:
    """Return the candidates; none where predictions cannot be chosen from them."""
    try:
        return list(prompted.tokens.answers_by_ids(answers).values())
    except DataError:  # which the finding "answers" says
        return []


def _fields(task: Task, fields: Sequence[str]) -> Finding:
    read = [name for name in task.inputs if name in fields]
    dropped = [name for name in task.inputs if name not in fields]
    missing = [name for name in fields if name not in task.inputs]
    found = f"the template reads {', '.join(fields) or 'no field'}"
    if missing:
        has = ", ".join(task.inputs)
        remedy = f"The data have {has}: name one of them in the template."
        return Finding("fields", FAIL, f"{found}; no column {missing[0]!r}", remedy)
    if not read:
        return Finding(
            "fields",
            FAIL,
            f"{found}, so all rows look alike to the model",
            f"Write a column into the template: {{{task.inputs[0]}}}."
            if task.inputs
            else "Give the rows a column to read.",
        )
    if dropped:
        return Finding(
            "fields",
            LOOK,
            f"{found}; it drops {', '.join(dropped)}",
            "Right for numbers that only name a row. What a person needs to answer "
            "must stand in the template.",
        )
    return Finding("fields", OK, f"{found}: all that the data have")


def _answers(prompted, rows: list[dict], answers: Sequence[str]) -> Finding:
    labels = Counter(row["answer"] for row in rows)
    never = {label: n for label, n in labels.items() if label not in answers}
    shown = ", ".join(map(repr, answers[:4])) + (", ..." if len(answers) > 4 else "")
    if not answers:
        remedy = "Give at least one for each label."
        return Finding("answers", FAIL, "there are no candidates", remedy)
    if never:
        share = sum(never.values()) / len(rows)
        return Finding(
            "answers",
            FAIL,
            f"{share:.0%} of the rows have a label that is no candidate, such as "
            f"{next(iter(never))!r}; the candidates are {shown}",
            "Give the labels and the candidates the same words, to the letter.",
        )
    try:
        ids = list(prompted.tokens.answers_by_ids(answers))
    except DataError as error:
        return Finding("answers", FAIL, str(error), "Use other label words.")
    known = set(ids)
    if any(one[:n] in known for one in ids for n in range(1, len(one))):
        return Finding(
            "answers",
            LOOK,
            f"of the candidates {shown} one begins another",
            "The longer one is never predicted: use other label words.",
        )
    return Finding("answers", OK, f"every label is one of {len(answers)} candidates")


def _lengths(prompted, rows, answers, max_tokens: int | None) -> Finding:
    window = prompted.lm.context_window
    limits = [limit for limit in (max_tokens, window) if limit is not None]
    lengths = sorted(token_lengths(prompted.lm, prompted.template, rows, answers))
    found = f"half of the rows have up to {lengths[len(lengths) // 2]} tokens"
    found += f", the longest {lengths[-1]}"
    if not limits:
        return Finding("length", OK, found)
    limit = min(limits)
    over = sum(length > limit for length in lengths)
    if over:
        return Finding(
            "length",
            FAIL,
            f"{over} of {len(rows)} rows ({over / len(rows):.1%}) are longer than "
            f"{limit} tokens; the longest has {lengths[-1]}",
            "Leave them out, or cut them with templates.shorten and say so.",
        )
    return Finding("length", OK, f"{found}; the limit is {limit}")


def _cut(rows: list[dict], fields: Sequence[str]) -> Finding:
    for field in fields:
        cells = [row[field] for row in rows]
        lengths = list(map(len, cells))
        longest = max(lengths)
        share = lengths.count(longest) / len(rows)
        if share >= SAME_LENGTH and len(set(cells)) > CODES:
            return Finding(
                "cut inputs",
                LOOK,
                f"{share:.0%} of the cells in {field!r} have exactly {longest} "
                "characters, and none has more",
                "Something cut them there: go back to the file that they come from.",
            )
    empty = sum(not all(row[f].strip() for f in fields) for row in rows)
    if empty:
        return Finding(
            "cut inputs",
            LOOK,
            f"{empty} of {len(rows)} rows have an empty cell",
            "Leave them out.",
        )
    return Finding(
        "cut inputs", OK, "no cell is empty, and texts do not all end at one length"
    )


def _inputs(row: dict, fields: Sequence[str]) -> tuple[str, ...]:
    return tuple(" ".join(row[field].lower().split()) for field in fields)


def _splits(task: Task, fields: Sequence[str]) -> Finding:
    if not fields or len(task.splits) < 2:
        return Finding("splits", OK, f"nothing to compare in {', '.join(task.splits)}")
    first, *others = task.splits
    known = {_inputs(row, fields) for row in task.split(first).to_list()}
    held = [row for name in others for row in task.split(name).to_list()]
    again = sum(_inputs(row, fields) in known for row in held)
    if again:
        return Finding(
            "splits",
            FAIL,
            f"{again} of {len(held)} rows in {' and '.join(others)} stand in {first} "
            "too",
            "Drop repeated rows, then split by what belongs together: "
            "tasks.split_rows(rows, group).",
        )
    return Finding("splits", OK, f"no row of {' or '.join(others)} stands in {first}")


def _labels(rows: list[dict], fields: Sequence[str]) -> Finding:
    labels = defaultdict(set)
    for row in rows:
        labels[_inputs(row, fields)].add(row["answer"])
    twice = sum(len(found) > 1 for found in labels.values())
    if fields and twice:
        return Finding(
            "labels",
            LOOK,
            f"{twice} of {len(labels)} different inputs come with two labels",
            "Decide for one, or accept that no prompt can get them all right.",
        )
    return Finding("labels", OK, "no input comes with two labels")
