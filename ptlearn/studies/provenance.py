"""What a row's numbers come from: the code that ran and its packages' versions."""

import ast
import hashlib
import importlib.metadata
import platform
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

from .. import __version__
from ..files import PACKAGE

START = "ptlearn.studies.run"
"""The module that runs a job."""


@cache
def code_version(package: Path = PACKAGE, start: str = START) -> str:
    """Return a hash of what the code that runs a job does: 16 hexadecimal digits.

    It covers the module that runs a job and every module of this package that it
    imports, directly or not. Comments, docstrings and layout do not count, since they
    change no row. It is the same on every version of Python that the package supports.

    Parameters
    ----------
    package : Path
        The folder of the package.
    start : str
        Another module that runs something and stores rows.
    """
    digest = hashlib.sha256()
    for _, tree in sorted(_imported_modules(package, start).items()):
        digest.update(repr(_meaning(tree)).encode())
    return digest.hexdigest()[:16]


def covered_modules(package: Path = PACKAGE, start: str = START) -> list[str]:
    """Return the names of the modules that ``code_version`` covers, sorted."""
    return sorted(_imported_modules(package, start))


def versions() -> dict[str, str]:
    """Return the versions of what a row's numbers rest on."""
    found = {
        name: importlib.metadata.version(name)
        for name in ("torch", "transformers", "tokenizers", "accelerate")
    }
    return {"python": platform.python_version(), "ptlearn": __version__} | found


def _imported_modules(package: Path, start: str) -> dict[str, ast.Module]:
    """Parse the module that runs a job and all that it imports, by name."""
    found: dict[str, ast.Module] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        file = package.joinpath(*name.split(".")[1:]).with_suffix(".py")
        # A name may also be that of a function, a room or another package.
        if name.startswith("ptlearn.") and name not in found and file.is_file():
            found[name] = ast.parse(file.read_bytes())
            waiting += _imported_names(found[name], room=name.rpartition(".")[0])
    return found


def _imported_names(tree: ast.Module, room: str) -> Iterator[str]:
    """Yield what a module imports, wherever in it; `room` is the package it is in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            place = resolve_name("." * node.level + (node.module or ""), room)
            yield place
            yield from (f"{place}.{alias.name}" for alias in node.names)


def _meaning(node) -> tuple | str:
    """Turn a syntax tree into plain values, without line numbers and docstrings.

    Fields that are empty are left out, since newer Pythons have more of them.
    """
    if isinstance(node, list):
        return tuple(_meaning(item) for item in node if not _is_docstring(item))
    if isinstance(node, ast.JoinedStr):  # Python 3.12 adds empty parts to f-strings
        parts = [part for part in node.values if getattr(part, "value", None) != ""]
        return type(node).__name__, _meaning(parts)
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, _meaning(value)) for name, value in ast.iter_fields(node)]
    return type(node).__name__, tuple(f for f in fields if f[1] not in ((), "None"))


def _is_docstring(node) -> bool:
    """Whether this is a statement of a bare constant, which does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
