"""Saving a prompt, killed at each byte and at each line: the old one or the new one."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
from killing import killed_at_byte, killed_at_line, places
from safetensors.torch import save_file

import ptlearn as pt
from ptlearn import files
from ptlearn.errors import PromptError
from ptlearn.prompts import prompt as prompt_module

from .outcome import Outcome, one

OURS = {files.__file__, prompt_module.__file__}
ANSWERS = ["Japan", "Nigeria"]


def trial(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Go through all moments: three folders to save to, at each byte and each line."""
    lm = pt.load_lm("tiny", device="cpu")
    lm.fingerprint  # noqa: B018 - reads the weights, once for all forks
    old, new = (
        pt.Prompt(lm, t.template, t.prompt_embeddings(), answers=ANSWERS)
        for t in (
            pt.PromptTuner(lm, "[V:3] {subject} [V:3] {answer}", seed=7),
            pt.PromptTuner(lm, "{subject} [V:2] {answer}", seed=8),
        )
    )
    place = folder / "prompt"
    for number, (state, way, at) in enumerate(moments(folder, new)):
        if number not in numbers:
            if number >= numbers.stop:
                return
            continue
        shutil.rmtree(place, ignore_errors=True)
        prepare(place, state, old)

        def work():
            new.save(place)

        killed = (
            killed_at_byte(work, at)
            if way == "byte"
            else killed_at_line(work, OURS, at)
        )
        when = f"killed at {way} {at}, with {state} there before"
        if not killed:
            yield one(fell=f"not {when}")
            continue
        yield found(place, state, old, new, when)


def moments(folder: Path, new: pt.Prompt) -> Iterator[tuple[str, str, int]]:
    """Give what lies there before, and where the save is killed."""
    size = (new.save(folder / "sized") / prompt_module.FILE).stat().st_size
    for state in ("nothing", "a prompt", "a prompt of two files"):
        lines = len(places(lambda: new.save(folder / "counted"), OURS))
        yield from ((state, "byte", at) for at in range(size))
        yield from ((state, "line", at) for at in range(lines))


def prepare(place: Path, state: str, old: pt.Prompt) -> None:
    if state == "a prompt":
        old.save(place)
    elif state != "nothing":
        place.mkdir()
        about = {
            "format": 1,
            "template": old.template.text,
            "answers": old.answers,
            "lm": old.lm.name,
            "lm_fingerprint": old.lm.embedding_fingerprint,
        }
        table = {prompt_module.KEY: old.prompt_embeddings()}
        save_file(table, place / prompt_module.FILE)
        (place / prompt_module.OLD_FILE).write_text(json.dumps(about))


def found(
    place: Path, state: str, old: pt.Prompt, new: pt.Prompt, when: str
) -> Outcome:
    """Say what a reader finds after the kill."""
    try:
        prompt = pt.Prompt.load(place, old.lm)
    except PromptError as error:
        nothing = state == "nothing" and "no prompt in" in str(error)
        return one(
            "nothing, as before" if nothing else "",
            "" if nothing else f"{when}: {error}",
        )
    for name, whole in (("old", old), ("new", new)):
        if prompt.template == whole.template and prompt.answers == whole.answers:
            same = torch.equal(prompt.prompt_embeddings(), whole.prompt_embeddings())
            return one(name, "" if same else f"{when}: the table is mixed")
    return one(fell=f"{when}: neither the old prompt nor the new one")
