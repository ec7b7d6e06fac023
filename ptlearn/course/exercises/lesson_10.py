"""The checks of lesson 10: your own data."""

from ..expect import done, exercise, expect, require

MOST_EXTRA = 12
FEWEST, MOST = 4, 6
MOST_WORDS = 100


@exercise
def ex10_1(yardsticks):
    """Check the two losses of who has not read the row."""
    import numpy as np
    from scipy.stats import entropy

    rng = np.random.default_rng(10)
    draws = [
        ["yes"] * 3 + ["no"],
        rng.choice(["a", "b", "c"], size=40, p=[0.7, 0.2, 0.1]).tolist(),
        rng.choice(list("abcdefgh"), size=200).tolist(),
        ["only"] * 5,
    ]
    for labels in draws:
        counts = np.unique(labels, return_counts=True)[1]
        tried = f"{len(labels)} labels of {len(counts)} classes"
        found = done(yardsticks(list(labels)))
        require(
            isinstance(found, tuple | list) and len(found) == 2,
            f"yardsticks(...) gave {found!r}, not two numbers.",
        )
        even, prior = done(found)
        expect(f"{tried}: all the same", even, float(np.log(len(counts))), tol=1e-6)
        expect(f"{tried}: their shares", prior, float(entropy(counts)), tol=1e-6)


@exercise
def ex10_2(template, lm):
    """Check a template that PEFT can hold and that adds few tokens to a row."""
    import tempfile

    from ...errors import PromptError
    from ...prompts.peft_format import to_peft
    from ...prompts.tuner import PromptTuner
    from ...templates.language import Template, Text
    from ...templates.lengths import token_lengths

    parsed = Template(template)
    require("text" in parsed.fields, f"It reads {parsed.fields or 'no field'}.")
    tuner = PromptTuner(lm, parsed)
    count, of_words = tuner.num_virtual_tokens, len(tuner.tokens.word_slots)
    require(FEWEST <= count <= MOST, f"It has {count} virtual tokens.")
    require(of_words == count, f"{count - of_words} virtual tokens start at no words.")
    with tempfile.TemporaryDirectory() as folder:
        try:
            to_peft(tuner.fold(), folder)
        except PromptError as error:
            require(False, f"PEFT cannot hold it: {error}.")
    before = parsed.pieces[-2]
    require(
        isinstance(before, Text) and any(map(str.isalpha, before.text)),
        "No word stands between the text and the answer: what is the model to say?",
    )
    texts = ["fine", "the screen broke after two days", "I would buy it again " * 6]
    for text in texts:
        plain = len(lm.tokenizer(text, add_special_tokens=False)["input_ids"])
        (length,) = token_lengths(lm, parsed, [{"text": text}])
        require(
            length - plain <= MOST_EXTRA,
            f"A text of {plain} tokens becomes a row of {length}.",
        )


@exercise
def ex10_3(ward, diagnosis):
    """Check the diagnosis of each patient; says how many are right, not which."""
    from ..clinic import DIAGNOSES, LOOK_AT

    require(set(diagnosis) == set(ward), f"There are the patients {', '.join(ward)}.")
    for letter, said in diagnosis.items():
        require(said in DIAGNOSES, f"{letter}: {said!r} is not on the list.")
    wrong = [letter for letter, p in ward.items() if diagnosis[letter] != p._diagnosis]
    if wrong:
        symptom = LOOK_AT[ward[wrong[0]]._diagnosis]
        right = len(ward) - len(wrong)
        message = (
            f"{right} of {len(ward)} are right. Look again at {wrong[0]}: {symptom}."
        )
        require(False, message)


@exercise
def ex10_4(prepare):
    """Check rows that were read, mended and split, on files with other faults."""
    import tempfile
    from pathlib import Path

    from ...tasks.task import Task
    from .. import feedback

    for seed in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            path = feedback.write(Path(folder) / "b.csv", seed, broken_quote=False)
            task = done(prepare(path))
        require(isinstance(task, Task), f"prepare(...) gave a {type(task).__name__}.")
        tried = f"file {seed}"
        expect(f"{tried}: the splits", task.splits, ["train", "dev", "test"])
        expect(f"{tried}: the answers", sorted(task.answers), ["negative", "positive"])
        splits = {name: task.split(name).to_list() for name in task.splits}
        missing = {"text", "customer"} - set(task.inputs)
        require(not missing, f"{tried}: the task has no column {sorted(missing)}.")
        _check_rows(tried, [row for rows in splits.values() for row in rows], seed)
        _check_splits(tried, splits)


def _check_rows(tried: str, rows: list[dict], seed: int) -> None:
    from .. import feedback

    clean = {_key(row): row["label"] for row in feedback.clean_rows(seed)}
    both = {_key(row): set() for row in feedback.faulty_rows(seed)}
    for row in feedback.faulty_rows(seed):
        both[_key(row)].add(row["label"].strip().lower())
    quarrel = {key for key, labels in both.items() if len(labels) > 1}
    keys = [_key(row) for row in rows]
    require("" not in keys, f"{tried}: a row has an empty text.")
    twice = len(keys) - len(set(keys))
    require(not twice, f"{tried}: {twice} texts are there twice, perhaps in capitals.")
    kept = quarrel & set(keys)
    require(not kept, f"{tried}: a text that came with two labels is still there.")
    longest = max(len(row["text"].split()) for row in rows)
    require(longest <= MOST_WORDS, f"{tried}: a text has {longest} words.")
    for row in rows:
        label = clean.get(_key(row), row["answer"])
        require(label == row["answer"], f"{tried}: a label is another one: {row}.")
    lost = set(clean) - quarrel - set(keys)
    require(not lost, f"{tried}: {len(lost)} sound rows are lost.")


def _check_splits(tried: str, splits: dict[str, list[dict]]) -> None:
    from itertools import combinations

    total = sum(map(len, splits.values()))
    for name, rows in splits.items():
        share = len(rows) / total
        require(share >= 0.1, f"{tried}: {name} has {share:.0%} of the rows.")
    customers = {name: {r["customer"] for r in rows} for name, rows in splits.items()}
    for one, other in combinations(customers, 2):
        shared = len(customers[one] & customers[other])
        require(not shared, f"{tried}: {shared} customers are in {one} and {other}.")


def _key(row: dict) -> str:
    return " ".join(row["text"].lower().split())
