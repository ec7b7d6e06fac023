"""The course under a memory limit: every lesson on the embedded model.

Linux counts against the limit all memory that a process may write to, touched or not;
so a lesson that runs under it needs less. Beside it stands the peak of what was
resident in all of a lesson's processes together.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from ptlearn.course.runner import find_lessons
from ptlearn.files import REPOSITORY

from . import namespaces
from .counts import MEMORY
from .outcome import Outcome

EVERY = 0.2
"""Seconds between two looks at what is resident."""


def trial(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Run a lesson for each number."""
    for number, path in enumerate(find_lessons()):
        if number in numbers:
            command = [sys.executable, "-m", "ptlearn", "course", "--no-pages"]
            command += ["--lesson", path.name, "--out", str(folder)]
            yield limited(command, path.stem)


def limited(command: list[str], name: str, limit: int = MEMORY) -> Outcome:
    """Run a command and its children under the limit; measure what they hold."""
    environment = os.environ | {"PYTHONPATH": namespaces.python_path(str(REPOSITORY))}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    ) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(EVERY)
        said = process.stdout.read().strip()
    outcome = Outcome(measured={"peak GB": round(peak / 1e9, 2)})
    if process.returncode:
        outcome.add(fell=f"{name}: exit code {process.returncode}: {said[-400:]}")
    elif peak > limit:
        outcome.add(fell=f"{name}: {peak / 1e9:.2f} GB were resident")
    else:
        outcome.add("ran")
    return outcome


def resident(pid: int) -> int:
    """Return the resident memory of a process and its children, shared pages twice."""
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:  # it ended while we looked
        pass
    return total
