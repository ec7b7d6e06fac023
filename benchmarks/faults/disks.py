"""Disks that are full at each write in turn, and folders that may only be read.

A disk is a small file system in memory, in a mount namespace of its own; so the errors
are the system's own. ``python -m faults.disks KIND DISK SCRATCH START STOP STEP`` runs
inside.
"""

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from ptlearn.errors import PtlearnError

from . import namespaces
from .outcome import Outcome, one
from .writers import CommandError, Writer, commands, writers

PAGE = os.sysconf("SC_PAGE_SIZE")
SIZE = 2_000_000
INODES = 200
FILLER = "filler"


def full(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Every writer, on a disk with room for a page more, or a file more, each time."""
    yield from outside("full", numbers, folder)


def read_only(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Every writer, where a folder may only be read."""
    yield from outside("read-only", numbers, folder)


def outside(kind: str, numbers: range, folder: Path) -> Iterator[Outcome]:
    disk, scratch = folder / "disk", folder / "scratch"
    disk.mkdir()
    scratch.mkdir()
    bounds = map(str, (numbers.start, numbers.stop, numbers.step))
    yield from namespaces.outcomes("disks", kind, str(disk), str(scratch), *bounds)


def mount(disk: Path, *options: str) -> None:
    chosen = ",".join(options)
    subprocess.run(["mount", "-t", "tmpfs", "-o", chosen, "tmpfs", disk], check=True)


def free(disk: Path) -> tuple[int, int]:
    """Return the free pages and the free entries for files of a disk."""
    found = os.statvfs(disk)
    return found.f_bavail * found.f_bsize // PAGE, found.f_favail


def leave(disk: Path, pages: int | None = None, files: int | None = None) -> None:
    """Fill the disk up to so many free pages, or so many free entries."""
    if pages is not None:
        with open(disk / FILLER, "wb") as file:
            too_many = free(disk)[0] - pages
            if too_many > 0:
                os.posix_fallocate(file.fileno(), 0, too_many * PAGE)
    else:
        (disk / FILLER).mkdir()
        for number in range(free(disk)[1] - files):
            (disk / FILLER / str(number)).touch()


def room_again(disk: Path) -> None:
    filler = disk / FILLER
    shutil.rmtree(filler) if filler.is_dir() else filler.unlink()


def snapshot(folder: Path) -> dict[str, bytes]:
    paths = folder.rglob("*")
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths if p.is_file()}


def attempt(writer: Writer, folder: Path) -> tuple[str, str]:
    """Return the error of the work, "" if it was done, and what is wrong with it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            writer.work(folder)
    except (PtlearnError, CommandError) as error:
        said = str(error)
    except OSError as error:
        said = str(error)
        if not error.filename:
            return said, f"an OSError that names no file: {said}"
    except BaseException as error:
        return str(error) or "?", f"{type(error).__name__}: {error}"
    else:
        return "", ""
    if str(folder) not in said:
        return said, f"the message names no place: {said}"
    return said, ""


def disturbed(writer: Writer, folder: Path, before: dict[str, bytes]) -> str:
    """Say what is wrong with the folder after a failed write; "" if nothing is."""
    now = snapshot(folder)
    for name, content in before.items():
        grown = name in writer.grows and now.get(name, b"").startswith(content)
        if now.get(name) != content and not grown:
            return f"{name} is lost or altered"
    temporary = ("/.", ".tmp-")
    left = [n for n in now if any(t in f"/{n}" for t in temporary) and n not in before]
    return f"left {left}" if left else ""


def each_amount(writer: Writer, disk: Path, kind: str, most: int) -> Iterator[Outcome]:
    """Leave 0, 1, 2 ... pages or files until the work is done."""
    for amount in range(most):
        folder = disk / "work"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if writer.before:
            writer.before(folder)
        before = snapshot(folder)
        leave(disk, **{kind: amount})
        said, fault = attempt(writer, folder)
        fault = fault or (said and disturbed(writer, folder, before))
        room_again(disk)
        if said and not fault:
            again, _ = attempt(writer, folder)
            fault = again and f"with room again: {again}"
        where = f"{writer.name} with {amount} {kind} free"
        if not said:
            return
        yield one(f"{kind} used up", fault and f"{where}: {fault}"[:400])


def every_full_disk(disk: Path, scratch: Path) -> Iterator[Outcome]:
    mount(disk, f"size={SIZE}", f"nr_inodes={INODES}")
    for writer in writers(scratch):
        for kind, most in (("pages", SIZE // PAGE), ("files", INODES)):
            yield from each_amount(writer, disk, kind, most)


def every_read_only_folder(disk: Path, scratch: Path) -> Iterator[Outcome]:
    mount(disk, f"size={SIZE}")
    cases = [(writer, there) for writer in writers(scratch) for there in (False, True)]
    cases += [(writer, None) for writer in commands()]
    for writer, there in cases:
        folder = disk / "work"
        shutil.rmtree(folder, ignore_errors=True)
        if there:
            folder.mkdir()
            (writer.before or writer.work)(folder)
        before = snapshot(folder)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        said, fault = attempt(writer, folder)
        fault = fault or disturbed(writer, folder, before)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        # What was all there need not be written again.
        done = there and not writer.before
        if not (said or done or fault):
            fault = "written to a folder that may only be read?"
        where = f"{writer.name}, {'over an old one' if there else 'new'}"
        yield one(
            "refused" if said else "nothing to write",
            fault and f"{where}: {fault}"[:400],
        )


INSIDE = {"full": every_full_disk, "read-only": every_read_only_folder}


def inside(kind: str, disk: str, scratch: str, *bounds: str) -> None:
    numbers = range(*map(int, bounds))
    for number, outcome in enumerate(INSIDE[kind](Path(disk), Path(scratch))):
        if number >= numbers.stop:
            break
        if number in numbers:
            namespaces.send(outcome)


if __name__ == "__main__":
    os.environ |= {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    inside(*sys.argv[1:])
