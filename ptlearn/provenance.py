"""Where a row's numbers come from: the package's text and its packages' versions."""

import ast
import hashlib
import importlib.metadata
import platform
from functools import cache
from pathlib import Path

from . import __version__


@cache
def code_version() -> str:
    """Hash of the texts of ``jobs`` and of every module that it leads to."""
    digest = hashlib.sha256()
    for name in sorted(imported_modules("jobs")):
        text = _module_file(name).read_bytes().replace(b"\r\n", b"\n")
        digest.update(name.encode() + b"\n" + text)
    return digest.hexdigest()[:16]


def imported_modules(name: str, found: set[str] | None = None) -> set[str]:
    """Names of a module and of all modules of this package that it leads to."""
    found = set() if found is None else found
    found.add(name)
    for node in ast.walk(ast.parse(_module_file(name).read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        place = ("ptlearn." if node.level else "") + (node.module or "")
        if place.split(".")[0] == "ptlearn":
            names = (
                [place.split(".")[1]] if node.module else [n.name for n in node.names]
            )
            for other in names:
                if other not in found and _module_file(other).exists():
                    imported_modules(other, found)
    return found


def _module_file(name: str) -> Path:
    return Path(__file__).parent / f"{name}.py"


def versions() -> dict[str, str]:
    """The versions of what a row's numbers rest on."""
    found = {
        name: importlib.metadata.version(name)
        for name in ("torch", "transformers", "tokenizers", "accelerate")
    }
    return {"python": platform.python_version(), "ptlearn": __version__} | found
