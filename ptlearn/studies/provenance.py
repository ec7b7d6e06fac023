"""Where a row's numbers come from: the package's code and its packages' versions."""

import ast
import hashlib
import importlib.metadata
import platform
from functools import cache
from pathlib import Path

from .. import __version__
from ..files import PACKAGE


@cache
def code_version() -> str:
    """Hash what the code that runs a job does, in 16 hexadecimal digits.

    It covers ``studies/job.py`` and every module of this package that it imports,
    directly or not. Comments, docstrings and layout do not count: they change no row.
    """
    digest = hashlib.sha256()
    for path in sorted(imported_files(PACKAGE / "studies" / "job.py")):
        digest.update(repr(_meaning(ast.parse(path.read_bytes()))).encode())
    return digest.hexdigest()[:16]


def imported_files(path: Path, found: set[Path] | None = None) -> set[Path]:
    """Find the files of this package that a file imports, and itself."""
    found = set() if found is None else found
    if path in found:
        return found
    found.add(path)
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.level:
            place = path.parents[node.level - 1].joinpath(
                *(node.module or "").split(".")
            )
            for name in ("", *(alias.name for alias in node.names)):
                file = (place / name).with_suffix(".py")
                if file.is_file():
                    imported_files(file, found)
    return found


def _meaning(node) -> tuple | str:
    """Turn a syntax tree into plain values, without places, docstrings and defaults.

    Fields that are empty are left out, since newer Pythons add some.
    """
    if isinstance(node, list):
        return tuple(_meaning(item) for item in node if not _is_docstring(item))
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, _meaning(value)) for name, value in ast.iter_fields(node)]
    return type(node).__name__, tuple(f for f in fields if f[1] not in ((), "None"))


def _is_docstring(node) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def versions() -> dict[str, str]:
    """Return the versions of what a row's numbers rest on."""
    found = {
        name: importlib.metadata.version(name)
        for name in ("torch", "transformers", "tokenizers", "accelerate")
    }
    return {"python": platform.python_version(), "ptlearn": __version__} | found
