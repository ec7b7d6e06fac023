"""The reference: a page for each package, out of its public names' docstrings."""

import importlib
import inspect
from pathlib import Path
from types import ModuleType

TOP = "ptlearn"
LEFT_OUT = {"exercises", "runner"}
"""Modules that no learner calls by hand: checks stand in their lessons."""


def packages() -> list[str]:
    """Return the dotted names of the packages that have a page, the top one first."""
    top = importlib.import_module(TOP)
    inner = [n for n in dir(top) if isinstance(getattr(top, n), ModuleType)]
    return [TOP, *(f"{TOP}.{name}" for name in inner)]


def write(folder: Path) -> None:
    """Write the pages, in reStructuredText, and the page that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    names = packages()
    at_home: dict[int, str] = {}
    for name in names:
        text = page(name, at_home)
        (folder / f"{name}.rst").write_text(text, encoding="utf-8")
    (folder / "index.rst").write_text(_contents(names), encoding="utf-8")


def page(package: str, at_home: dict[int, str]) -> str:
    """Return a package's page.

    Parameters
    ----------
    package : str
        Its dotted name.
    at_home : dict
        The objects that other pages describe, by id, with the names they have there.
        They are only named here. What this page describes is added.
    """
    module = importlib.import_module(package)
    parts = [_title(package, "="), f".. automodule:: {package}\n   :no-index:"]
    elsewhere, here = [], []
    for name, value in public(module):
        if id(value) in at_home:
            elsewhere.append(f"``{name}`` is :py:obj:`{at_home[id(value)]}`.")
        else:
            at_home[id(value)] = f"{package}.{name}"
            here.append((name, value))
    listed = "\n".join(f"   {name}" for name, value in here if callable(value))
    if here:
        parts.append(f".. autosummary::\n   :nosignatures:\n\n{listed}")
    if elsewhere:
        parts.append("\n\n".join(sorted(elsewhere)))
    parts += [_describe(f"{package}.{name}", value) for name, value in here]
    return "\n\n".join(parts) + "\n"


def public(module: ModuleType) -> list[tuple[str, object]]:
    """Return a package's public names with their values, in order.

    Where a package offers modules alone (``course.claims``), each stands for the
    functions and classes that it defines.
    """
    names = [name for name in dir(module) if not name.startswith("_")]
    values = {name: getattr(module, name) for name in names}
    modules = {n: v for n, v in values.items() if isinstance(v, ModuleType)}
    if values == modules:
        return [
            (f"{name}.{inner}", value)
            for name, one in modules.items()
            if name not in LEFT_OUT
            for inner, value in _defined(one).items()
        ]
    values |= _defined(module)
    return [
        (name, value)
        for name, value in sorted(values.items())
        if name not in modules and not isinstance(value, bool)
    ]


def _defined(module: ModuleType) -> dict[str, object]:
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    }


def _describe(name: str, value: object) -> str:
    if inspect.isclass(value):
        return f".. autoclass:: {name}\n   :members:"
    if callable(value):
        return f".. autofunction:: {name}"
    return f".. py:data:: {name}\n   :value: {value!r}"


def _title(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}"


def _contents(names: list[str]) -> str:
    lines = "\n".join(f"   {name}" for name in names)
    return (
        f"{_title('Reference', '=')}\n\n"
        "Every public name, out of its docstring. ``import ptlearn as pt`` brings the "
        "first page's names; the others are reached as ``pt.studies.results``.\n\n"
        f".. toctree::\n   :maxdepth: 1\n\n{lines}\n"
    )
