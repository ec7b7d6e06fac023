"""What the commands on your own data share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import PtlearnError

UNFINISHED = "unfinished"
"""Folder inside a prompt's folder for a training run that has not ended."""


@contextmanager
def writing_to(path: Path, error_class: type[PtlearnError]) -> Iterator[None]:
    """Turn a full disk or a folder that cannot be written into an error of ours."""
    try:
        yield
    except OSError as error:
        ours = error_class(f"{path} cannot be written: {error.strerror or error}.")
        raise ours from error
