"""The task files that ship with the package: where they lie, and what there is."""

import tomllib
from pathlib import Path

from ..errors import DataError
from ..files import PACKAGE, REPOSITORY


def data_dir() -> Path:
    """Return the folder of the task files: in the wheel, or beside the package.

    Raises
    ------
    DataError
        If neither has them.
    """
    places = (PACKAGE / "_data", REPOSITORY / "data")
    for folder in places:
        if (folder / "tasks.toml").exists():
            return folder
    where = " or ".join(map(str, places))
    raise DataError(f"there is no tasks.toml in {where}: install ptlearn again.")


def catalogue() -> dict[str, dict]:
    """Return titles, licences and hand-written wordings of each task by its name."""
    return tomllib.loads((data_dir() / "tasks.toml").read_text(encoding="utf-8"))
