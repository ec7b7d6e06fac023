"""Is this computer ready for the course? Each failure comes with its remedy."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from ..files import sha256
from ..lm.fetch import SMOLLM2, cache_dir, find_faults
from ..tasks.task import data_dir

if TYPE_CHECKING:
    import pandas as pd

COURSE_BYTES = 1_000_000_000  # executed lessons, studies, checkpoints
MEMORY_BYTES = 4_000_000_000  # the largest lesson: see `memory` in benchmarks/
INSTALL_AGAIN = 'Install the project again: "make course", or pip install -e .'


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report."""

    name: str
    ok: bool
    detail: str  # what was found
    remedy: str = ""  # what to do; empty where nothing is wrong

    def __str__(self) -> str:
        if self.ok:
            return f"[OK]   {self.name}: {self.detail}"
        return f"[FAIL] {self.name}: {self.detail}\n       What to do: {self.remedy}"


def doctor() -> bool:
    """Print a line for each check as it ends; return whether nothing failed."""
    checks = []
    for check in _checks():
        print(check, flush=True)
        checks.append(check)
    failed = sum(not check.ok for check in checks)
    print(f"{failed} of {len(checks)} checks failed." if failed else "All is well.")
    return not failed


def run_checks() -> list[Check]:
    """Return every check's outcome, without printing."""
    return list(_checks())


def table(checks: list[Check] | None = None) -> "pd.DataFrame":
    """Return the checks as a table, for a notebook."""
    import pandas as pd

    rows = [
        {
            "check": check.name,
            "state": "OK" if check.ok else "FAIL",
            "found": check.detail,
            "what to do": check.remedy,
        }
        for check in (run_checks() if checks is None else checks)
    ]
    return pd.DataFrame(rows)


def _checks() -> Iterator[Check]:
    named: dict[str, Callable[[], Check]] = {
        "Python": check_python,
        "packages": check_packages,
        "torch": check_torch,
        "model": check_model,
        "data": check_data,
        "disk": check_disk,
        "memory": check_memory,
    }
    for name, check in named.items():
        try:
            yield check()
        except Exception as error:  # a broken check must not hide the others
            yield Check(name, False, f"{type(error).__name__}: {error}", INSTALL_AGAIN)


def check_python() -> Check:
    """Compare the running Python with the range that the package declares."""
    wanted = metadata.metadata("ptlearn")["Requires-Python"]
    found = f"{platform.python_version()} in {sys.prefix}"
    if SpecifierSet(wanted).contains(platform.python_version(), prereleases=True):
        return Check("Python", True, found)
    return Check(
        "Python",
        False,
        f"{found}, needed is {wanted}",
        "Install a Python in that range and make the environment again with it.",
    )


def check_packages() -> Check:
    """Compare every installed requirement with its declared range."""
    wanted = [Requirement(text) for text in metadata.requires("ptlearn") or ()]
    # The lessons need [course]; extras such as [test] are not asked of a learner.
    needed = {"extra": "course"}
    wanted = [r for r in wanted if r.marker is None or r.marker.evaluate(needed)]
    wrong = {str(r): fault for r in wanted if (fault := _package_fault(r))}
    if not wrong:
        return Check("packages", True, f"{len(wanted)} installed, all in range")
    return Check(
        "packages",
        False,
        "; ".join(wrong.values()),
        "python -m pip install " + " ".join(f'"{text}"' for text in wrong),
    )


def _package_fault(requirement: Requirement) -> str:
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} is missing"
    if requirement.specifier.contains(found, prereleases=True):
        return ""
    return f"{requirement.name} is {found}, needed is {requirement.specifier}"


def check_torch() -> Check:
    """Say where `load_lm` will compute, by computing there.

    And whether its dtype "bfloat16" would be faster: it is a choice, so no failure.
    """
    import torch

    from ..lm.bfloat16 import has_bfloat16_instructions

    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    found = f"{torch.__version__} on {name}, {torch.get_num_threads()} CPU threads"
    fast = has_bfloat16_instructions(torch.device(device))
    found += f", {'with' if fast else 'without'} bfloat16 instructions"
    try:
        torch.ones(2, 2, device=device) @ torch.ones(2, 2, device=device)
    except RuntimeError as error:
        return Check(
            "torch",
            False,
            f"{found}: {error}",
            "The graphics driver does not fit this torch: update the driver, or hide "
            "the GPU with CUDA_VISIBLE_DEVICES=-1.",
        )
    return Check("torch", True, found)


def check_model() -> Check:
    """Check the hash of every file of the embedded model."""
    faults = find_faults(SMOLLM2)
    if not faults:
        return Check("model", True, f"{SMOLLM2.folder}, every hash is right")
    return Check("model", False, "; ".join(faults), "Download it with: ptlearn fetch")


def check_data(folder: Path | None = None) -> Check:
    """Check the hash of every file of the tasks and of the world against SHA256SUMS."""
    folder = folder or data_dir()
    sums = {}
    for file in sorted(folder.glob("**/SHA256SUMS")):
        for line in file.read_text(encoding="utf-8").splitlines():
            digest, name = line.split(maxsplit=1)
            sums[(file.parent / name).relative_to(folder).as_posix()] = digest
    wrong = [name for name, digest in sums.items() if _altered(folder / name, digest)]
    if not wrong:
        return Check("data", True, f"{len(sums)} files in {folder}, hashes are right")
    return Check(
        "data",
        False,
        f"missing or altered in {folder}: {', '.join(wrong)}",
        "Restore them: git checkout -- data, or install the package again.",
    )


def _altered(file: Path, digest: str) -> bool:
    return not file.is_file() or sha256(file) != digest


def check_disk() -> Check:
    """Check that there is room for the model and for the course's results."""
    cache = cache_dir()
    existing = next(p for p in (cache, *cache.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    needed = COURSE_BYTES + (0 if SMOLLM2.folder.exists() else SMOLLM2.disk_bytes)
    found = f"{free / 1e9:.1f} GB free at {cache}"
    writable = existing.is_dir() and os.access(existing, os.W_OK)
    if not writable and find_faults(SMOLLM2):
        return Check(
            "disk",
            False,
            f"the model cache {existing} cannot be written",
            "Set PTLEARN_HOME to a folder that you may write to.",
        )
    if free >= needed:
        return Check("disk", True, found)
    return Check(
        "disk",
        False,
        f"{found}, needed are {needed / 1e9:.1f} GB",
        "Free some space, or set PTLEARN_HOME to a folder on another disk.",
    )


def check_memory() -> Check:
    """Check that there is memory for the largest lesson."""
    memory = psutil.virtual_memory()
    found = f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB available"
    if memory.available >= MEMORY_BYTES:
        return Check("memory", True, found)
    return Check(
        "memory",
        False,
        f"{found}, the largest lesson needs {MEMORY_BYTES / 1e9:.0f} GB",
        "Close other programs and other notebooks' kernels.",
    )
