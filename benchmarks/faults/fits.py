"""A training run, killed at a line of its own code, ends with the same bits."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import torch
from killing import in_a_process, killed_at_line, places
from programs import fit_run

import ptlearn as pt
from ptlearn.files import PACKAGE

from .counts import FIT_KILLS, NOT_THE_END
from .outcome import Outcome, one

OURS = {str(path) for path in (PACKAGE / "training").glob("*.py")}
OURS |= {str(PACKAGE / "files.py"), str(PACKAGE / "prompts" / "tuner.py")}
SETTINGS = ({}, fit_run.SPILLED_OVER, fit_run.PLATEAU)
"""Contexts kept; contexts that spilled over; a run that ends when it is done."""


def trial(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Kill at an even spread of lines, go on, and compare with the whole run."""
    torch.set_num_threads(1)
    lm = pt.load_lm("tiny", device="cpu")
    wholes, lengths = [], []
    for number, settings in enumerate(SETTINGS):
        place = folder / f"whole {number}"
        wholes.append(as_json(fit_run.train(lm, **settings)))
        kept = settings | {"checkpoint_dir": place, "resume": True}
        lengths.append(len(places(lambda s=kept: fit_run.train(lm, **s), OURS)))
    for number in numbers:
        which = number % len(SETTINGS)
        spread = (number + random.Random(number).random()) / FIT_KILLS
        line = int(spread * NOT_THE_END * lengths[which])
        settings = {"checkpoint_dir": folder / str(number), "resume": True}
        settings |= SETTINGS[which]

        def work(settings=settings):
            fit_run.train(lm, **settings)

        if not killed_at_line(work, OURS, line):
            yield one(fell=f"number {number} was not killed")
            continue
        out = folder / f"{number}.json"

        def go_on(settings=settings, out=out):
            out.write_text(as_json(fit_run.train(lm, **settings)))

        in_a_process(go_on)
        left = [path.name for path in (folder / str(number)).iterdir()]
        if out.read_text() != wholes[which]:
            yield one(fell=f"killed before line {line} of run {which}: other bits")
        elif not all(name.startswith("step-") for name in left):
            yield one(fell=f"killed before line {line} of run {which}: left {left}")
        else:
            yield one("bit-equal")


def as_json(result: dict) -> str:
    return json.dumps(result)
