"""Odd rows through every call: the result of a plain forward, or an error of ours."""

import csv
import io
import json
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

import ptlearn as pt
from ptlearn.errors import PtlearnError
from ptlearn.tasks.rows import text_of

from .outcome import Outcome, one
from .writers import CommandError, command

WORDING = "{subject} is in {answer}"
ANSWERS = ["Japan", "Papua New Guinea", "Brazil"]
TOLERANCE = 1e-4

CELLS = {
    "NaN": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "None": None,
    "nothing": "",
    "blanks": "   ",
    "a line end": "\n",
    "a carriage return": "a\rb\r\n",
    "an emoji": "🙂",
    "a family of emoji": "👩‍👩‍👧‍👦 and 🇵🇬",
    "right-to-left text": "القاهرة, ירושלים",
    "marks of direction": "\u202eOsaka\u202c\u200f",
    "a NUL": "Osa\0ka",
    "half a surrogate pair": "\ud83d",
    "control characters": "\x01\x02\x1b[31m\x7f",
    "characters of no width": "\u200b\ufeff\u2060",
    "200 accents on a letter": "e" + "\u0301" * 200,
    "a template": "[V:9] {answer} ]] {",
    "special tokens": "<|im_end|><|endoftext|>",
    "a whole number as float": 3.0,
    "a long whole number": 10**30,
    "a small number": 1e-300,
    "a truth value": True,
    "bytes": b"Osaka",
    "a list": ["Osaka"],
    "a dict": {"name": "Osaka"},
    "a row as long as the window": "window",
    "a row one token longer": "window + 1",
    "a hundred thousand letters": "x" * 100_000,
}


def trial(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Each odd cell through each call; then odd numbers of rows and of answers."""
    lm = pt.load_lm("tiny", device="cpu")
    prompt = pt.Prompt(lm, WORDING, answers=ANSWERS)
    cells = CELLS | {
        "a row as long as the window": long_cell(prompt, 0),
        "a row one token longer": long_cell(prompt, 1),
    }
    saved = prompt.save(folder / "prompt")
    work: list[tuple[str, Callable]] = [
        (f"{name}: {call.__name__}", lambda c=call, v=value: c(prompt, v, saved))
        for name, value in cells.items()
        for call in CALLS
    ]
    work += [(call.__name__, lambda c=call: c(prompt)) for call in WHOLES]
    for number, (name, case) in enumerate(work):
        if number not in numbers:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                fell = case()
            except (PtlearnError, CommandError) as error:
                clear = len(str(error)) > 20 and "Traceback" not in str(error)
                yield one("refused", "" if clear else f"{name}: says {error}")
                continue
            except Exception as error:
                yield one(fell=f"{name}: {type(error).__name__}: {error}"[:300])
                continue
        yield one("right", fell and f"{name}: {fell}"[:300])


# What is right: the text as training has it, through a plain forward


def text_in(value: object) -> str:
    return text_of(value) or ""


def plain_log_prob(lm: pt.LanguageModel, text: str, answer: str) -> float:
    def ids(words: str) -> list[int]:
        return lm.tokenizer(words, add_special_tokens=False)["input_ids"]

    before, after = ids(f"{text} is in"), ids(f" {answer}")
    with torch.no_grad():
        logits = lm.model(torch.tensor([before + after])).logits[0]
    log_probs = logits.log_softmax(-1)[len(before) - 1 : -1]
    return log_probs[range(len(after)), after].sum().item()


def not_plain(value: object) -> bool:
    return not (value is None or isinstance(value, str | int | float))


def long_cell(prompt: pt.Prompt, more: int) -> str:
    """Return a cell that fills the context window with the longest answer."""
    window, words = prompt.lm.context_window, []
    length, row = 0, {}
    while length < window + more:
        words.append("city")
        row = {"subject": " ".join(words)}
        length = (
            len(prompt.tokens.encode(row | {"answer": ANSWERS[1]}).ids)
            if (len(words) < window - 9)
            else length + 1
        )
    return row["subject"]


# Calls with an odd cell


def log_probs(prompt: pt.Prompt, value: object, saved: Path) -> str:
    rows = [{"subject": value, "answer": answer} for answer in ANSWERS]
    found = prompt.answer_log_probs(rows).tolist()
    return compared(prompt, value, found)


def compared(prompt: pt.Prompt, value: object, found: list[float]) -> str:
    if not_plain(value):
        return f"{value!r} was read as text without a word"
    text = text_in(value)
    wanted = [plain_log_prob(prompt.lm, text, answer) for answer in ANSWERS]
    apart = max(abs(f - w) for f, w in zip(found, wanted, strict=True))
    return "" if apart < TOLERANCE else f"log-probabilities differ by {apart}"


def prediction(prompt: pt.Prompt, value: object, saved: Path) -> str:
    found = prompt.predict([{"subject": value}])[0]
    return right_answer(prompt, value, found)


def right_answer(prompt: pt.Prompt, value: object, found: str) -> str:
    if not_plain(value):
        return f"{value!r} was read as text without a word"
    text = text_in(value)
    scores = {a: plain_log_prob(prompt.lm, text, a) for a in ANSWERS}
    best = max(scores, key=scores.get)
    near = abs(scores[best] - scores.get(found, math.inf)) < TOLERANCE
    return "" if near else f"{found!r}, not {best!r}"


def in_a_task(prompt: pt.Prompt, value: object, saved: Path) -> str:
    rows = [{"subject": value, "answer": answer} for answer in ANSWERS]
    task = pt.Task.from_rows([*rows, {"subject": "Rio", "answer": "Brazil"}], test=rows)
    report = pt.evaluate(prompt, task, progress=False)
    return compared(prompt, value, report.rows["log_prob"].tolist())


def in_training(prompt: pt.Prompt, value: object, saved: Path) -> str:
    rows = [{"subject": value, "answer": a} for a in ANSWERS]
    task = pt.Task.from_rows([*rows, {"subject": "Rio", "answer": "Brazil"}])
    tuner = pt.PromptTuner(prompt.lm, "{subject} [V:1] {answer}", seed=0)
    history = pt.fit(tuner, task, steps=2, batch_size=2, progress=False)
    if not_plain(value):
        return f"{value!r} was learnt as text without a word"
    finite = all(math.isfinite(record["loss"]) for record in history.records)
    return "" if finite else "the loss is not finite"


def in_writing(prompt: pt.Prompt, value: object, saved: Path) -> str:
    written = prompt.generate([{"subject": value}], max_new_tokens=2)
    return "" if isinstance(written[0], str) else f"wrote {written!r}"


def as_an_answer(prompt: pt.Prompt, value: object, saved: Path) -> str:
    found = prompt.predict([{"subject": "Rio"}], [value, "Japan"])
    wanted = {str(value), text_in(value), "Japan"}
    if value is None or value != value or not_plain(value):
        return f"{value!r} was taken for an answer"
    return "" if found[0] in wanted else f"predicted {found[0]!r}"


def as_an_answer_of_a_task(prompt: pt.Prompt, value: object, saved: Path) -> str:
    rows = [
        {"subject": "Rio", "answer": value},
        {"subject": "Osaka", "answer": "Japan"},
    ]
    task = pt.Task.from_rows(rows, test=rows)
    pt.evaluate(prompt, task, progress=False)
    kept = text_in(value).strip()
    if not_plain(value):
        return f"{value!r} was taken for an answer"
    return "" if kept in task.answers else f"its answers are {task.answers}"


def by_command_from_csv(prompt: pt.Prompt, value: object, saved: Path) -> str:
    text, data = value if isinstance(value, str) else text_in(value), io.StringIO()
    writer = csv.writer(data, quoting=csv.QUOTE_ALL)
    writer.writerows([["subject"], [text]])
    path = saved.parent / "asked.csv"
    path.write_bytes(data.getvalue().encode("utf-8", "surrogatepass"))
    return by_command(prompt, text, saved, path)


def by_command_from_json(prompt: pt.Prompt, value: object, saved: Path) -> str:
    data = saved.parent / "asked.jsonl"
    if isinstance(value, bytes):
        value = value.decode()
    data.write_text(json.dumps({"subject": value}) + "\n", encoding="utf-8")
    return by_command(prompt, value, saved, data)


def by_command(prompt: pt.Prompt, value: object, saved: Path, data: Path) -> str:
    out = saved.parent / "answers.jsonl"
    out.unlink(missing_ok=True)
    command("predict", "--prompt", saved, "--data", data, "--out", out)
    row = json.loads(out.read_text(encoding="utf-8"))
    return right_answer(prompt, value, row["predicted"])


CALLS = (
    *(log_probs, prediction, in_a_task, in_training, in_writing, as_an_answer),
    *(as_an_answer_of_a_task, by_command_from_csv, by_command_from_json),
)


# Odd numbers of rows and of answers


def no_rows_predicted(prompt: pt.Prompt) -> str:
    return "" if prompt.predict([]) == [] else "answers out of nothing"


def no_rows_scored(prompt: pt.Prompt) -> str:
    return "" if prompt.answer_log_probs([]).shape == (0,) else "scores of nothing"


def no_rows_written(prompt: pt.Prompt) -> str:
    return "" if prompt.generate([]) == [] else "words out of nothing"


def a_row_without_columns(prompt: pt.Prompt) -> str:
    prompt.predict([{}])
    return "answered a row that has nothing"


def a_task_without_rows(prompt: pt.Prompt) -> str:
    pt.Task.from_rows([])
    return "a task of nothing"


def a_task_of_empty_rows(prompt: pt.Prompt) -> str:
    pt.Task.from_rows([{}, {}])
    return "a task of empty rows"


def one_answer(prompt: pt.Prompt) -> str:
    found = prompt.predict([{"subject": "Rio"}], ["Japan"])
    return "" if found == ["Japan"] else f"predicted {found}"


def a_task_with_one_answer(prompt: pt.Prompt) -> str:
    rows = [{"subject": "Rio", "answer": "Brazil"}] * 3
    task = pt.Task.from_rows(rows, test=rows)
    tuner = pt.PromptTuner(prompt.lm, "{subject} [V:1] {answer}", seed=0)
    pt.fit(tuner, task, steps=2, progress=False)
    report = pt.evaluate(tuner, task, progress=False)
    return "" if report.accuracy == 1 else f"accuracy {report.accuracy}"


def ten_thousand_answers(prompt: pt.Prompt) -> str:
    answers = [f"{ANSWERS[i % 3]} {i}" for i in range(10_000)]
    [found] = prompt.predict([{"subject": "Rio"}], answers)
    drawn = {a: plain_log_prob(prompt.lm, "Rio", a) for a in [found, *answers[::50]]}
    best = max(drawn, key=drawn.get)
    better = drawn[best] - drawn[found] > TOLERANCE
    return f"{found!r}, though {best!r} is more probable" if better else ""


def a_task_with_ten_thousand_answers(prompt: pt.Prompt) -> str:
    rows = [{"subject": f"city {i}", "answer": f"country {i}"} for i in range(10_000)]
    task = pt.Task.from_rows(rows, dev=rows[:2], test=rows[:2])
    tuner = pt.PromptTuner(prompt.lm, "{subject} [V:1] {answer}", seed=0)
    pt.fit(tuner, task, steps=2, batch_size=4, progress=False)
    report = pt.evaluate(tuner, task, progress=False)
    saved = tuner.fold()
    return "" if report.n == 2 and len(saved.answers) == 10_000 else "answers lost"


WHOLES = (
    *(no_rows_predicted, no_rows_scored, no_rows_written, a_row_without_columns),
    *(a_task_without_rows, a_task_of_empty_rows, one_answer, a_task_with_one_answer),
    *(ten_thousand_answers, a_task_with_ten_thousand_answers),
)
