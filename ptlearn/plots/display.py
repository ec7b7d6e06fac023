"""A figure is shown once, with a sentence that says what is in it."""

from io import BytesIO

import matplotlib.pyplot as plt
import PIL.Image
from IPython.display import Image, display
from matplotlib.figure import Figure

from ..errors import CourseError


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
    drawn, png = BytesIO(), BytesIO()
    fig.savefig(drawn, format="png", bbox_inches="tight")
    # A palette makes the file a third as large, and a notebook keeps it. No software
    # version is written: the same figure gives the same bytes.
    PIL.Image.open(drawn).convert("RGB").quantize(256).save(png, "png", optimize=True)
    # A closed figure is not drawn a second time at the end of the cell.
    plt.close(fig)
    display(Image(png.getvalue(), format="png", alt=alt))
    print(alt)
