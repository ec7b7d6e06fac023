"""With the network cut after set-up: every lesson, every command, the fast tests.

A namespace has no interface but the loopback of its own, which a notebook's kernel and
``ptlearn serve`` speak over.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from shell_tools import ROWS, TEMPLATE, write_csv

from ptlearn.course.runner import find_lessons
from ptlearn.files import REPOSITORY

from . import namespaces
from .outcome import Outcome, one

PTLEARN = (sys.executable, "-m", "ptlearn")
ROOMS = ("templates", "tasks", "forward", "prompts", "training", "evaluation", "lm")
FAST = "not slow and not lessons and not embedded"
CUT = "import socket; socket.create_connection(('1.1.1.1', 53), 3)"


def cases(folder: Path) -> Iterator[tuple[str, list]]:
    """Give what is run, by name."""
    data = write_csv(folder / "reviews.csv", ROWS)
    out = folder / "my-prompt"
    tiny = ["--model", "tiny", "--device", "cpu"]
    train = ["train", "--data", data, "--out", out, "--template", TEMPLATE, *tiny]
    train += ["--answer-column", "stars", "--steps", "4"]
    used = ["--prompt", out, "--data", data]
    stored = shutil.copytree(REPOSITORY / "data" / "results", folder / "rows")
    rows = ["--results", stored]
    why = ["--results", folder / "why", "--model", "tiny", "--workers", "1"]
    commands = {
        "--version": [],
        "doctor": [],
        "fetch": [],
        "train": train[1:],
        "predict": [*used, "--out", folder / "answers.csv"],
        "doctor of a prompt": [*used, "--answer-column", "stars", "--no-eight-rows"],
        "study list": [],
        "study plan": ["encoder", *rows],
        "study report": rows,
        "study verify": ["1", *rows],
        "study relatives": ["--plan", *why],
        "site": ["--out", folder / "site"],
    }
    for name, words in commands.items():
        yield (
            f"ptlearn {name}",
            [*PTLEARN, *name.removesuffix(" of a prompt").split(), *words],
        )
    yield "ptlearn serve", [sys.executable, "-m", "faults.offline", out]
    for room in ROOMS:
        words = ["-q", "-x", "-m", FAST, "-p", "no:cacheprovider", "-n", "0"]
        yield f"tests/{room}", [sys.executable, "-m", "pytest", f"tests/{room}", *words]
    for path in find_lessons():
        words = ["--lesson", path.name, "--no-pages", "--out", folder / "course", *tiny]
        yield f"lesson {path.stem}", [*PTLEARN, "course", *words]


def trial(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Run each case; the prompt that later ones need is trained first."""
    made = dict(cases(folder))
    training = "ptlearn train"
    if list(made).index(training) not in numbers:  # it was run in an earlier piece
        run(made[training], folder)
    if not run([sys.executable, "-c", CUT], folder).returncode:
        raise RuntimeError("the network is not cut")
    for number, (name, command) in enumerate(made.items()):
        if number not in numbers:
            continue
        done = run(command, folder)
        said = (done.stdout + done.stderr).strip()
        fell = f"{name}: exit code {done.returncode}: {said[-400:]}"
        yield one(name.split()[0].split("/")[0], fell if done.returncode else "")


def run(command: list, folder: Path) -> subprocess.CompletedProcess:
    """Run a command without a network, and without the switch that says so."""
    environment = os.environ | {
        "PYTHONPATH": namespaces.python_path(
            str(REPOSITORY), str(namespaces.BENCHMARKS)
        ),
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("HF_HUB_OFFLINE", None)
    return subprocess.run(
        namespaces.with_loopback([str(word) for word in command]),
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
    )


def serve_and_ask(prompt: str) -> None:
    """Start the service, ask it once over the loopback, and stop it."""
    import json
    import urllib.request

    command = [*PTLEARN, "serve", "--prompt", prompt, "--port", "8765"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    rows = json.dumps({"rows": [{"review": "a lovely film"}]}).encode()
    try:
        for _ in range(120):
            time.sleep(1)
            try:
                address = "http://127.0.0.1:8765/predict"
                with urllib.request.urlopen(address, rows) as answer:
                    print(answer.read().decode())
                return
            except OSError:
                continue
        sys.exit("nobody answered in two minutes")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


if __name__ == "__main__":
    serve_and_ask(sys.argv[1])
