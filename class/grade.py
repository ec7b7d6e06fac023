"""Grade the submissions of an assignment with nbgrader, one at a time.

nbgrader computes every score. This program starts it once for each student and sees to
what a submission may do to it: one that does not end is ended, with all processes that
it started; one that kills its kernel, or whose notebook is damaged, is named and loses
its old grades. The others are graded. Run it as `make class-grade ASSIGNMENT=prompts`.

A submission is a program, and it runs with your rights: see class/grading.md.
"""

import argparse
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil

WORK = Path(__file__).resolve().parents[1] / "build" / "class"
TIMED_OUT = "CellTimeoutError"
ANSWERS = 15  # seconds in which an interrupted kernel must answer
# What a submission gets to see of the teacher's environment.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PTLEARN_HOME")
SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "TQDM_DISABLE": "1",  # nbgrader takes anything on stderr for a failure
    "JUPYTER_PREFER_ENV_PATH": "1",
}


@dataclass(frozen=True)
class Limits:
    """Seconds that a submission may take.

    Attributes
    ----------
    cell : int
        For one cell; then the cell is interrupted and the next one runs.
    submission : int
        For the whole; then everything is ended and nothing is graded.
    """

    cell: int = 60
    submission: int = 600


@dataclass(frozen=True)
class Outcome:
    """What became of one submission; ``score`` is None if it was not graded."""

    student: str
    said: str
    score: float | None = None
    max_score: float | None = None
    by_hand: int = 0  # answers that wait for the teacher


def main() -> int:
    """Grade what the command line asks for, and print a table."""
    # nbgrader looks for its helper alembic on the PATH.
    beside = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([beside, os.environ.get("PATH", "")])
    asked = arguments()
    students = submitted(asked.work, asked.assignment, asked.student)
    if not students:
        print(
            f"Nobody has handed in {asked.assignment!r}: there is nothing in "
            f"{asked.work / 'submitted'}. Collect first: make class-collect."
        )
        return 1
    limits = Limits(asked.cell_seconds, asked.seconds)
    outcomes = []
    for student in students:
        print(f"grading {student} ...", flush=True)
        outcomes.append(
            grade(asked.work, asked.assignment, student, limits, again=asked.again)
        )
    print(table(outcomes))
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Grade an assignment's submissions.")
    parser.add_argument("assignment")
    parser.add_argument("--student", help="only this one")
    parser.add_argument("--again", action="store_true", help="also those graded before")
    parser.add_argument("--cell-seconds", type=int, default=Limits.cell)
    parser.add_argument("--seconds", type=int, default=Limits.submission)
    parser.add_argument("--work", type=Path, default=WORK, help="the course root")
    return parser.parse_args()


def submitted(work: Path, assignment: str, student: str | None = None) -> list[str]:
    """Return who has handed in the assignment."""
    found = (work / "submitted").glob(f"{student or '*'}/{assignment}/")
    return sorted(path.parent.name for path in found)


def grade(
    work: Path, assignment: str, student: str, limits: Limits, *, again: bool = False
) -> Outcome:
    """Grade one submission; whatever it does, this returns."""
    trouble = damage(work / "submitted" / student / assignment, assignment)
    if not trouble:
        trouble = autograde(work, assignment, student, limits, again=again)
    if trouble:
        forget(work, assignment, student)
        return Outcome(student, f"not graded: {trouble}")
    return read_outcome(work, assignment, student)


def damage(folder: Path, assignment: str) -> str:
    """Say what is wrong with a submission's notebook; "" if it can be read."""
    path = folder / f"{assignment}.ipynb"
    if not path.is_file():
        return f"there is no {path.name} in it"
    try:
        nbformat.validate(nbformat.read(path, as_version=4))
    except Exception as error:  # a damaged file fails in many ways
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return f"{path.name} is damaged, it is no notebook ({reason[:60]})"
    return ""


def autograde(
    work: Path, assignment: str, student: str, limits: Limits, *, again: bool
) -> str:
    """Let nbgrader run and grade one submission; say what went wrong, or ""."""
    command = [sys.executable, "-m", "nbgrader", "autograde", assignment]
    command += [f"--student={student}", f"--Execute.timeout={limits.cell}"]
    command += [f"--Execute.iopub_timeout={ANSWERS}"]
    command += ["--force"] if again else []
    log = work / "logs" / assignment / f"{student}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    with open(log, "w") as said:
        process = subprocess.Popen(
            command,
            cwd=work,
            env=kept | SETTINGS,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            failed = process.wait(limits.submission)
        except subprocess.TimeoutExpired:
            return f"ended, for it ran longer than {limits.submission} seconds"
        finally:
            end(process)
    return f"{reason(log)} (see {log.relative_to(work)})" if failed else ""


def reason(log: Path) -> str:
    """Say why nbgrader gave up, as far as its log tells."""
    text = log.read_text(errors="replace")
    if "DeadKernelError" in text:
        return "its code killed the kernel"
    if TIMED_OUT in text:
        return "a cell did not end and could not be interrupted"
    return "nbgrader failed"


def end(process: subprocess.Popen) -> None:
    """End nbgrader and the kernel that it started, if they still run."""
    try:
        parent = psutil.Process(process.pid)
        family = [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
    psutil.wait_procs(family, timeout=10)


def forget(work: Path, assignment: str, student: str) -> None:
    """Remove an ungraded submission's traces: the grades of an older one, too."""
    from nbgrader.api import MissingEntry

    for step in ("autograded", "feedback"):
        shutil.rmtree(work / step / student / assignment, ignore_errors=True)
    with gradebook(work) as grades:
        with suppress(MissingEntry):
            grades.remove_submission(assignment, student)
        # Without an entry of its own the student would be missing from the CSV.
        grades.update_or_create_student(student)


def read_outcome(work: Path, assignment: str, student: str) -> Outcome:
    """Read what nbgrader gave a submission, and which of its cells were interrupted."""
    with gradebook(work) as grades:
        found = grades.find_submission(assignment, student)
        score, max_score = found.score, found.max_score
        entries = [entry for notebook in found.notebooks for entry in notebook.grades]
        by_hand = sum(entry.needs_manual_grade for entry in entries)
        wanted = {entry.name for entry in entries}
    path = work / "autograded" / student / assignment / f"{assignment}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    said = ["graded"]
    late = [name(cell) for cell in notebook.cells if interrupted(cell)]
    if late:
        said.append(f"interrupted, for they did not end: {', '.join(late)}")
    lost = wanted - {name(cell) for cell in notebook.cells}
    if lost:
        said.append(f"cells deleted by the student: {', '.join(sorted(lost))}")
    return Outcome(student, "; ".join(said), score, max_score, by_hand)


def gradebook(work: Path):
    """Open the class's gradebook."""
    from nbgrader.api import Gradebook

    return Gradebook(f"sqlite:///{work / 'gradebook.db'}", "ptlearn")


def name(cell) -> str:
    """Return what nbgrader calls a cell; a student's own cell has only an id."""
    return cell.metadata.get("nbgrader", {}).get("grade_id") or f"cell {cell.id}"


def interrupted(cell) -> bool:
    """Whether a cell was ended because it took too long."""
    outputs = cell.get("outputs", [])
    return any(output.get("ename") == TIMED_OUT for output in outputs)


def table(outcomes: list[Outcome]) -> str:
    """Lay the outcomes out as plain text, one student a line."""
    width = max(len("student"), *(len(outcome.student) for outcome in outcomes))
    lines = [f"{'student':<{width}}  score so far  by hand  what happened"]
    for one in outcomes:
        score = "-" if one.score is None else f"{one.score:g} of {one.max_score:g}"
        lines.append(
            f"{one.student:<{width}}  {score:<12}  {one.by_hand:<7}  {one.said}"
        )
    graded = sum(one.score is not None for one in outcomes)
    lines.append(f"{graded} of {len(outcomes)} were graded.")
    if graded < len(outcomes):
        lines.append(
            "The others count as 0 until you grade them by hand, or they hand in anew."
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
