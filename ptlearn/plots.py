"""Figures in one style, each shown with a sentence that says what is in it."""

from io import BytesIO

import matplotlib.pyplot as plt
import seaborn as sns
from cycler import cycler
from IPython.display import Image, display
from matplotlib.figure import Figure

# Colour is never the only difference between two lines, so that a grey print
# and a colour-blind reader lose nothing.
COLOURS = sns.color_palette("colorblind", 8)
LINE_STYLES = ["-", "--", "-.", ":"] * 2
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]


def use_style() -> None:
    """Set the course's style; the setup cell of every lesson calls it once."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind")
    plt.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=COLOURS)
            + cycler(linestyle=LINE_STYLES)
            + cycler(marker=MARKERS),
            "figure.figsize": (7.0, 3.6),
            "figure.dpi": 100,
            "lines.markersize": 5,
        }
    )


def show(fig: Figure, alt: str) -> None:
    """Show `fig` as a PNG with `alt` as alternative text and printed caption.

    `alt` is a full sentence that tells a reader who cannot see the figure what
    it shows. Raises ValueError if it is not one.
    """
    if len(alt.split()) < 5 or not alt.rstrip().endswith((".", "!", "?")):
        raise ValueError(
            f"alt={alt!r} is not a full sentence: say what the figure shows and "
            "what can be read from it, ending with a full stop."
        )
    png = BytesIO()
    # No software version in the file: the same figure gives the same bytes.
    fig.savefig(png, format="png", bbox_inches="tight", metadata={"Software": None})
    # A closed figure is not drawn a second time at the end of the cell.
    plt.close(fig)
    display(Image(png.getvalue(), format="png", alt=alt))
    print(alt)
