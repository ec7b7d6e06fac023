"""The file that draws the formulas of the pages, without a network."""

import importlib.metadata
from pathlib import Path

from ...errors import CourseError
from ...files import sha256

PACKAGE = "sphinx-mathjax-offline"
SHA256 = "d4295dc33744836935c1399feece5159577b34c5c8ffb9f1c6324cd82e03a882"
"""Of MathJax 3.2.2, ``es5/tex-svg.js``: it draws SVG and needs no second file."""


def typesetter(package: str = PACKAGE) -> Path:
    """Return the path of MathJax's ``tex-svg.js``, which a package of pip's brings.

    Raises
    ------
    CourseError
        If the package is not installed, or if its file is another.
    """
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise CourseError(
            f"The pages need {package}, which brings the file that draws formulas. "
            "Install what pages need: pip install -c constraints.txt -e '.[docs]'"
        ) from error
    for file in files:
        if file.name == "tex-svg.js":
            path = Path(file.locate()).resolve()
            break
    else:
        raise CourseError(f"The package {package} has no file tex-svg.js.")
    if sha256(path) != SHA256:
        raise CourseError(
            f"The checksum of {path} is wrong. Install the package again: "
            f"pip install --force-reinstall --no-deps {package}"
        )
    return path
