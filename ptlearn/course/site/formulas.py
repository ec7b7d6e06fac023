"""The file that draws the formulas of the pages, without a network."""

from pathlib import Path

from ..bundled import bundled_file

PACKAGE = "sphinx-mathjax-offline"
SHA256 = "d4295dc33744836935c1399feece5159577b34c5c8ffb9f1c6324cd82e03a882"
"""Of MathJax 3.2.2, ``es5/tex-svg.js``: it draws SVG and needs no second file."""


def typesetter(package: str = PACKAGE) -> Path:
    """Return the path of MathJax's ``tex-svg.js``.

    Raises
    ------
    CourseError
        As from :func:`~ptlearn.course.bundled.bundled_file`.
    """
    return bundled_file(package, "tex-svg.js", SHA256)
