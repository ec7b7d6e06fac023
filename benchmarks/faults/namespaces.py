"""Commands in Linux namespaces of their own: without a network, with a small disk."""

import functools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .outcome import Outcome

BENCHMARKS = Path(__file__).resolve().parents[1]


@functools.cache
def unshare(kind: str) -> tuple[str, ...]:
    """Return how to begin a command in a namespace: "net" or "mount".

    Raises
    ------
    RuntimeError
        Where neither root nor an ordinary user may make one.
    """
    for user in ((), ("--user", "--map-root-user")):
        command = ("unshare", *user, f"--{kind}")
        try:
            done = subprocess.run([*command, "true"], capture_output=True)
        except FileNotFoundError:
            break
        if done.returncode == 0:
            return command
    raise RuntimeError(f"no {kind} namespace can be made here: this row wants Linux")


def outcomes(module: str, *arguments: str) -> Iterator[Outcome]:
    """Run a module of ours in a mount namespace; it prints outcomes with ``send``."""
    command = [*unshare("mount"), sys.executable, "-m", f"faults.{module}", *arguments]
    environment = os.environ | {"PYTHONPATH": python_path(str(BENCHMARKS))}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            for line in process.stdout:
                if line.startswith(MARK):
                    fields = json.loads(line.removeprefix(MARK))
                    fields["kinds"] = Counter(fields["kinds"])
                    yield Outcome(**fields)
            if process.wait():
                raise RuntimeError(f"{module} ended with {process.returncode}")
        finally:
            process.kill()


def with_loopback(command: list[str]) -> list[str]:
    """Return how to run a command where there is no network but the loopback."""
    return [*unshare("net"), sys.executable, "-m", "faults.namespaces", *command]


MARK = "outcome "


def send(outcome: Outcome) -> None:
    """Print an outcome for the process outside."""
    print(MARK + json.dumps(vars(outcome)), flush=True)


def python_path(*folders: str) -> str:
    given = os.environ.get("PYTHONPATH")
    return os.pathsep.join([*folders, *([given] if given else [])])


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.execv(sys.argv[1], sys.argv[1:])
