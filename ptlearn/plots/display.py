"""A figure is shown once, with a sentence that says what is in it."""

import matplotlib.pyplot as plt
from IPython.display import Image, display
from matplotlib.figure import Figure

from ..errors import CourseError
from .style import as_png


def show(fig: Figure, alt: str) -> None:
    """Show a figure as a PNG, with ``alt`` as alternative text and printed caption.

    Parameters
    ----------
    fig : Figure
        Closed afterwards.
    alt : str
        A full sentence that tells a reader who cannot see the figure what it shows.

    Raises
    ------
    CourseError
        If ``alt`` is not a full sentence.
    """
    if len(alt.split()) < 5 or not alt.rstrip().endswith((".", "!", "?")):
        raise CourseError(
            f"alt={alt!r} is not a full sentence: say what the figure shows and "
            "what can be read from it, ending with a full stop."
        )
    png = as_png(fig, bbox_inches="tight")
    # A closed figure is not drawn a second time at the end of the cell.
    plt.close(fig)
    display(Image(png, format="png", alt=alt))
    print(alt)
