"""Run the lessons and keep executed copies.

All of this needs the notebooks, so a clone of the repository: the wheel carries
the package and the data only.
"""

import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import active_children
from pathlib import Path

from ..errors import CourseError
from ..files import REPOSITORY
from ..studies.executors import process_pool
from . import claims
from .doctor import MEMORY_BYTES

NOTEBOOKS = REPOSITORY / "notebooks"
OUT = REPOSITORY / "build" / "course"
CELL_TIMEOUT = 900  # seconds; a cell that takes longer hangs
# Keeps the kernel's remarks about itself out of the progress bar.
KERNEL_ARGUMENTS = ["--log-level=ERROR"]
# Kernels draw no progress bars: saved, they say 0% for ever.
QUIET = ("TQDM_DISABLE", "1")
BAR = "{desc}: cell {n_fmt} of {total_fmt} |{bar}| {elapsed}<{remaining}"
KERNELSPEC = {
    "display_name": "Python 3 (ipykernel)",
    "language": "python",
    "name": "python3",
}


@dataclass(frozen=True)
class Result:
    """How one lesson went; ``error`` is empty if it ran to its end."""

    lesson: str
    minutes: float
    held: int  # claims that held
    claims: int  # claims that were made
    error: str = ""


def find_lessons(lesson: str | None = None, folder: Path = NOTEBOOKS) -> list[Path]:
    """Return the paths of the lessons whose file name begins with ``lesson``.

    Raises
    ------
    CourseError
        If there are none.
    """
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        raise CourseError(
            f"There are no lessons in {folder}. The lessons are in the repository, "
            "not in the installed package: clone it and run this there."
        )
    chosen = [path for path in paths if path.name.startswith(lesson or "")]
    if not chosen:
        names = ", ".join(path.stem for path in paths)
        raise CourseError(f"No lesson begins with {lesson!r}. There are: {names}.")
    return chosen


def run_lessons(
    lesson: str | None = None,
    model: str | None = None,
    device: str | None = None,
    out: Path | None = None,
    folder: Path = NOTEBOOKS,
    jobs: int = 1,
) -> list[Result]:
    """Run lessons; keep executed copies.

    A lesson that fails does not keep the next ones from running.

    Parameters
    ----------
    lesson : str, optional
        Only lessons whose file name begins so.
    model, device : str, optional
        Replace the lesson's MODEL and DEVICE.
    out : Path, optional
        Where to write; None is ``build/course``.
    jobs : int
        How many lessons run at once, each in a process with its share of the cores.

    Raises
    ------
    CourseError
        If a lesson has no such parameter, before anything runs.
    """
    paths = find_lessons(lesson, folder)
    asked = {"MODEL": model, "DEVICE": device}
    parameters = {name: value for name, value in asked.items() if value is not None}
    for path in paths:
        require_parameters(path, parameters)
    out = out or OUT
    out.mkdir(parents=True, exist_ok=True)
    jobs = min(jobs, len(paths))  # or the cores of those left out would idle
    if jobs == 1:
        return [run_lesson(path, parameters, out) for path in paths]
    return run_together(paths, parameters, out, jobs)


def fitting_jobs(device: str | None = None) -> int:
    """Return how many lessons this machine runs at once: one a core, if memory allows.

    Two lessons of one thread do more than one of two: not all work can be split. A
    GPU's memory is not counted, so there it is one.
    """
    import psutil
    import torch

    from ..lm.load import find_device

    if find_device(device or "auto").type != "cpu":
        return 1
    memory = psutil.virtual_memory().available
    return max(1, min(torch.get_num_threads(), memory // MEMORY_BYTES))


def run_together(
    paths: list[Path], parameters: dict[str, str], out: Path, jobs: int
) -> list[Result]:
    """Run lessons in ``jobs`` processes, the longest first; return them in order."""
    import psutil
    import torch
    from tqdm.auto import tqdm

    longest_first = sorted(paths, key=stated_minutes, reverse=True)
    threads = str(max(1, torch.get_num_threads() // jobs))
    share = os.environ.get("OMP_NUM_THREADS", threads)
    others = active_children()
    with environment("OMP_NUM_THREADS", share), process_pool(jobs) as pool:
        pending = [
            pool.submit(run_lesson, path, parameters, out, bar=False)
            for path in longest_first
        ]
        try:
            what = f"lessons, {jobs} at once"
            ended = [f.result() for f in tqdm(as_completed(pending), what, len(paths))]
        except KeyboardInterrupt:
            # nbclient takes Ctrl-C as meant for its kernel, and lessons would go on.
            for worker in set(active_children()) - set(others):
                with suppress(psutil.NoSuchProcess):
                    for kernel in psutil.Process(worker.pid).children(recursive=True):
                        kernel.kill()
                worker.kill()
            raise
        except BrokenExecutor as error:
            raise CourseError(
                "a process that ran lessons died, often for lack of memory: run them "
                "one after another, with `make course JOBS=1` or `--jobs 1`"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)
    results = {result.lesson: result for result in ended}
    return [results[path.stem] for path in paths]


def stated_minutes(path: Path) -> int:
    """Return how many minutes on two cores a lesson's first table says it takes."""
    text = path.read_text(encoding="utf-8")
    said = re.search(r"\| minutes on .*?\| (\d+) \|", text, re.DOTALL)
    return int(said[1]) if said else 0


def require_parameters(path: Path, parameters: dict[str, str]) -> None:
    """Raise CourseError unless the lesson has all ``parameters``.

    papermill itself only logs a parameter that a notebook does not know.
    """
    import papermill

    known = papermill.inspect_notebook(str(path))
    for name in parameters:
        if name not in known:
            has = ", ".join(known) or "none"
            raise CourseError(f"{path.name} has no parameter {name}. It has: {has}.")


def run_lesson(
    path: Path, parameters: dict[str, str], out: Path, bar: bool = True
) -> Result:
    """Run one lesson with papermill and write its executed copy."""
    import nbformat
    import papermill
    import tqdm.auto  # noqa: F401  reads TQDM_DISABLE now, before it is set below

    executed = out / path.name
    executed.unlink(missing_ok=True)
    error = ""
    start = time.monotonic()
    try:
        with environment(*QUIET):
            papermill.execute_notebook(
                path,
                executed,
                parameters=parameters,
                cwd=path.parent,
                kernel_name=KERNELSPEC["name"],
                execution_timeout=CELL_TIMEOUT,
                extra_arguments=KERNEL_ARGUMENTS,
                progress_bar={"desc": path.stem, "bar_format": BAR} if bar else False,
            )
    except Exception as problem:  # whatever it is, the next lesson can still run
        error = explain(problem)
    minutes = (time.monotonic() - start) / 60
    if not executed.exists():  # the kernel did not even start
        return Result(path.stem, minutes, 0, 0, error)
    notebook = nbformat.read(executed, as_version=4)
    return Result(path.stem, minutes, *claims.count(printed_text(notebook)), error)


def explain(problem: Exception) -> str:
    """Name the failing cell and its error in a few lines."""
    from papermill.exceptions import PapermillExecutionError

    if not isinstance(problem, PapermillExecutionError):  # timeout, dead kernel
        return f"{type(problem).__name__}: {problem}"
    return (
        f"cell {problem.cell_index + 1} (In [{problem.exec_count}]) raised "
        f"{problem.ename}: {problem.evalue}\n\n{problem.source}"
    )


def printed_text(notebook) -> str:
    """Return all that the notebook's cells printed, in order."""
    return "".join(
        output["text"]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream"
    )


def table(results: list[Result]) -> str:
    """Lay the results out as a plain-text table: lesson, minutes, claims held."""
    width = max(len("lesson"), *(len(result.lesson) for result in results))
    lines = [f"{'lesson':<{width}}  minutes  claims held"]
    for result in results:
        line = f"{result.lesson:<{width}}  {result.minutes:7.1f}  "
        line += f"{result.held:>3} of {result.claims}"
        lines.append(line + ("  FAILED" if result.error else ""))
    total = sum(result.minutes for result in results)
    lines.append(f"{'all':<{width}}  {total:7.1f}")
    return "\n".join(lines)


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """Set a variable for the processes that are started inside."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
