"""Writing files so that a reader never sees half of one."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

PACKAGE = Path(__file__).resolve().parent
REPOSITORY = PACKAGE.parent
"""Of an installed package, the folder it lies in: look before you use it."""


def sha256(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short_hash(text: str) -> str:
    """Return what names a text: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def write_atomically(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path; what is written there becomes `path` at the end.

    `path` holds either its old content or the whole new one, even if the
    process is killed on the way. An error leaves `path` as it was and the
    temporary file removed. Folders above `path` are made where they lack.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written; its ``filename`` is
        `path`.

    >>> with write_atomically("notes.json") as temporary:
    ...     temporary.write_text("{}")
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, because a rename across file systems is a copy. In a
    # folder of its own, so that the file gets the user's ordinary permissions.
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        temporary = folder / path.name
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, path)
        _flush_to_disk(path.parent)
    except OSError as error:
        # Of a full disk the system names no file, or the temporary one.
        if error.filename is None or Path(error.filename).is_relative_to(folder):
            error.filename = str(path)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def sole_holder(path: str | os.PathLike) -> Iterator[bool]:
    """Yield whether this call alone holds `path`, among all processes here.

    The system frees what a killed process held. The lock itself lies in the folder for
    temporary files, so that nothing is left beside `path`.
    """
    name = short_hash(str(Path(path).resolve()))
    lock = filelock.FileLock(Path(tempfile.gettempdir()) / f"ptlearn-{name}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def publish_folder(temporary: Path, final: Path) -> None:
    """Rename the finished folder `temporary` to `final`, replacing what is there.

    Both must lie on one file system. A folder cannot be replaced in one step:
    for a moment there is none at `final`, but never a half-written one.
    """
    for file in temporary.rglob("*"):
        _flush_to_disk(file)
    if final.exists():
        shutil.rmtree(final)
    os.replace(temporary, final)
    _flush_to_disk(final.parent)


def _flush_to_disk(path: Path) -> None:
    """Make a finished file, or a folder's list of names, survive a power cut."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open a folder
        return
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
