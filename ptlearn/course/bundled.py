"""Files that packages of pip's bring, such as MathJax: found, and checked by hash."""

import importlib.metadata
from pathlib import Path

from ..errors import CourseError
from ..files import sha256


def bundled_file(package: str, name: str, checksum: str) -> Path:
    """Return the path of a file that an installed package brings.

    Parameters
    ----------
    package : str
        Its name for pip; one of the extra ``docs``.
    name : str
        How the file's path in the package ends.
    checksum : str
        The file's SHA-256.

    Raises
    ------
    CourseError
        If the package is not installed, lacks the file, or if the file is another.
    """
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise CourseError(
            f"Pages and slides need {package}, which brings {name}. Install what they "
            "need: pip install -c constraints.txt -e '.[docs]'"
        ) from error
    path = next((f.locate() for f in files if f.as_posix().endswith(name)), None)
    if path is None:
        raise CourseError(f"The package {package} has no file {name}.")
    if sha256(path) != checksum:
        raise CourseError(
            f"The checksum of {path} is wrong. Install the package again: pip install "
            f"--force-reinstall --no-deps -c constraints.txt {package}"
        )
    return Path(path).resolve()
