"""Processes that train and save to one folder: a clear refusal, and no mixed files."""

import io
import json
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import torch
from programs import fit_run
from shell_tools import ROWS, TEMPLATE, write_csv

import ptlearn as pt
from ptlearn.cli.app import main
from ptlearn.errors import PtlearnError

from .counts import AT_ONCE
from .outcome import Outcome

TEMPLATE_OF_FIT = "{subject} [V:3] {answer}"


def trial(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Train in one folder at once: by ``fit`` and ``save``, and by the command."""
    torch.set_num_threads(1)
    lm = pt.load_lm("tiny", device="cpu")
    data = write_csv(folder / "reviews.csv", ROWS)
    for number in numbers:
        place = folder / str(number)
        place.mkdir()
        if number % 2:
            yield by_command(data, place)
        else:
            yield by_fit(lm, place)


def all_at_once(place: Path, work: Callable[[int], None]) -> list[dict]:
    """Run the work in forks that begin together; return what each wrote down."""
    begin = time.time() + 1
    children = []
    for number in range(AT_ONCE):
        if child := os.fork():
            children.append(child)
            continue
        try:
            time.sleep(max(0.0, begin - time.time()))
            said = work(number)
        except PtlearnError as error:
            said = {"refused": str(error)}
        except BaseException:
            said = {"crashed": traceback.format_exc()[-400:]}
        (place / f"said {number}.json").write_text(json.dumps(said))
        os._exit(0)
    for child in children:
        os.waitpid(child, 0)
    files = (place / f"said {number}.json" for number in range(AT_ONCE))
    return [json.loads(file.read_text()) for file in files]


def by_fit(lm: pt.LanguageModel, place: Path) -> Outcome:
    """Different seeds, one folder of checkpoints and one for the prompt."""
    run, saved = place / "run", place / "prompt"

    def work(seed: int) -> dict:
        tuner = pt.PromptTuner(lm, TEMPLATE_OF_FIT, seed=seed)
        settings = {"steps": 12, "evaluate_every": 2, "batch_size": 4, "lr": 0.01}
        pt.fit(
            tuner,
            fit_run.TASK,
            **settings,
            seed=seed,
            checkpoint_dir=run,
            progress=False,
        )
        prompt = tuner.fold()
        prompt.save(saved)
        return {"table": prompt.prompt_embeddings().tolist()}

    said = all_at_once(place, work)
    tables = [one["table"] for one in said if "table" in one]
    prompt = pt.Prompt.load(saved, lm)
    mixed = "" if prompt.prompt_embeddings().tolist() in tables else "a mixed prompt"
    names = sorted(path.name for path in run.iterdir())
    if len(names) > 2 or not all(name.startswith("step-") for name in names):
        mixed += f" the checkpoints are {names}"
    return judged(said, mixed.strip())


def by_command(data: Path, place: Path) -> Outcome:
    """The same command, so that one could take another's checkpoints for its own."""
    out = place / "prompt"
    words = ["train", "--data", data, "--out", out, "--steps", 8, "--evaluate-every", 2]
    words += ["--model", "tiny", "--device", "cpu", "--template", TEMPLATE]
    words += ["--answer-column", "stars"]

    def work(number: int) -> dict:
        printed, errors = io.StringIO(), io.StringIO()
        try:
            with redirect_stdout(printed), redirect_stderr(errors):
                main([str(word) for word in words])
        except SystemExit as end:
            if end.code:
                return {"refused": errors.getvalue().removeprefix("Error: ").strip()}
        return {"done": printed.getvalue()[-80:]}

    said = all_at_once(place, work)
    pt.Prompt.load(out, pt.load_lm("tiny", device="cpu"))
    names = sorted(path.name for path in out.iterdir())
    return judged(said, "" if names == ["prompt.safetensors"] else f"left {names}")


def judged(said: list[dict], mixed: str) -> Outcome:
    """Count who trained and who was refused in words; all fall with a mixed folder."""
    outcome = Outcome()
    for one in said:
        refused = one.get("refused", "")
        clear = "another process" in refused or "finished prompt" in refused
        clear = clear or "holds a run's checkpoints" in refused
        kind = "refused" if refused else "trained"
        fell = one.get("crashed") or mixed
        if refused and not clear:
            fell = f"refused as {refused!r}"
        outcome.add(kind, fell)
    if not any("table" in one or "done" in one for one in said):
        outcome.fell.append("nobody trained")
    return outcome
