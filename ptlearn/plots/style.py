"""The course's one style for figures, and small helps for drawing in it."""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
import seaborn as sns
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from ..studies.statistics import mean_interval

# Colour is never the only difference between two lines, so that a grey print
# and a colour-blind reader lose nothing.
COLOURS = sns.color_palette("colorblind", 8)
LINE_STYLES = ["-", "--", "-.", ":"] * 2
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
# An arm of the studies looks the same in all figures: its place here is its look.
ARMS = ("bare", "LSTM", "MLP", "residual MLP", "bare, words", "linear", "mixed")
LIGHT = sns.color_palette("colorblind", 10)[9]  # below lines and writing
WIDTH, HEIGHT = 7.0, 3.6
STYLE = {
    **sns.plotting_context("notebook"),
    **sns.axes_style("whitegrid"),
    "axes.prop_cycle": cycler(color=COLOURS)
    + cycler(linestyle=LINE_STYLES)
    + cycler(marker=MARKERS),
    "axes.labelsize": 10,
    "axes.titlesize": 11,
    "figure.dpi": 100,
    "figure.figsize": (WIDTH, HEIGHT),
    "figure.titlesize": 12,
    "lines.markersize": 5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}
SCORE_LABELS = {
    "p_at_1": "P@1: share of rows right, whole vocabulary",
    "accuracy": "accuracy: share of rows right, among the answers",
    "dev_score": "score on dev rows",
}


DOTS_PER_INCH = 110
"""Of pictures in files."""


def use_style() -> None:
    """Set the course's style; the setup cell of every lesson calls it once."""
    plt.rcParams.update(STYLE)


def in_style(draw):
    """Draw in the course's style, whatever the program's own settings are."""
    # Markers and dashes are given to each line; error bars must not take them.
    return plt.rc_context(STYLE | {"axes.prop_cycle": cycler(color=COLOURS)})(draw)


def as_png(figure: Figure, **options) -> bytes:
    """Draw a figure as a PNG; ``options`` are those of ``savefig``.

    A palette makes the file a third as large. No software version is written: the same
    figure gives the same bytes.
    """
    drawn, png = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", **options)
    PIL.Image.open(drawn).convert("RGB").quantize(256).save(png, "png", optimize=True)
    return png.getvalue()


def save_picture(figure: Figure, path: str | Path) -> Path:
    """Write a figure to a PNG file and return its path."""
    Path(path).write_bytes(as_png(figure, dpi=DOTS_PER_INCH))
    return Path(path)


def new_figure(height: float = HEIGHT) -> Figure:
    """Make an empty figure of the course's width; ``height`` is in inches."""
    # Not through pyplot, which would show it a second time below the cell.
    return Figure(figsize=(WIDTH, height), layout="constrained")


def new_panels(number: int, height: float = HEIGHT) -> tuple[Figure, np.ndarray]:
    """Make a figure with ``number`` panels side by side."""
    fig = new_figure(height)
    return fig, fig.subplots(1, number, squeeze=False)[0]


def palette(number: int) -> list:
    """Return ``number`` colours; they repeat after the eighth."""
    return [COLOURS[i % len(COLOURS)] for i in range(number)]


def dashes(number: int) -> list:
    """Return ``number`` dash patterns, as seaborn takes them."""
    dashes = ["", (4, 1.5), (1, 1), (3, 1, 1, 1), (6, 2, 1, 2)]
    return [dashes[i % len(dashes)] for i in range(number)]


def arm_styles(arms: Iterable[str]) -> dict[str, dict]:
    """Return each arm's colour, marker and dashes, as seaborn takes them.

    Parameters
    ----------
    arms : iterable of str
        Those of ``ARMS`` always look the same; the others take what is left.

    Returns
    -------
    dict
        ``palette``, ``markers`` and ``dashes``, each a dict with the arms as keys.
    """
    arms = list(dict.fromkeys(arms))
    places = {arm: ARMS.index(arm) for arm in arms if arm in ARMS}
    others = [arm for arm in arms if arm not in ARMS]
    left = [i for i in range(len(COLOURS)) if i not in places.values()]
    left = left or list(range(len(COLOURS)))
    places |= {arm: left[i % len(left)] for i, arm in enumerate(others)}
    patterns = dashes(len(COLOURS))
    return {
        "palette": {arm: COLOURS[places[arm]] for arm in arms},
        "markers": {arm: MARKERS[places[arm]] for arm in arms},
        "dashes": {arm: patterns[places[arm]] for arm in arms},
    }


def over_seeds(values) -> tuple[float, float]:
    """Return the 95 % interval of a mean over seeds; seaborn takes it as errorbar."""
    return mean_interval(values)[1:]


def from_zero(ax: Axes) -> None:
    """Let the vertical axis begin at zero, also where all heights are zero."""
    top = ax.get_ylim()[1]
    # The margin was a share of the data's own range, which may be next to nothing.
    ax.set_ylim(0, 1.03 * top if top > 0.06 else 0.1)


def plain_log(axis) -> None:
    """Make an axis logarithmic, with plain numbers at 1, 2 and 5 of each decade."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def score_label(score: str) -> str:
    """Return the words for a score's axis."""
    return SCORE_LABELS.get(score, score.replace("_", " "))


def metric_name(metric: str) -> str:
    """Return a metric as it is written in a sentence: "P@1", "accuracy"."""
    return "P@1" if metric == "p_at_1" else metric


def short(text: str, width: int) -> str:
    """Put a text on one line of at most ``width``; a dollar sign is no formula."""
    text = text.replace("\n", " / ")
    text = text if len(text) <= width else text[: width - 1] + "\u2026"
    return text.replace("$", r"\$")


def token(lm, i: int) -> str:
    """Write a token as a label; letters that the font lacks become codes."""
    return label_of(lm.tokenizer.decode([i]))


def label_of(text: str) -> str:
    """Write a token's text as a label; white space alone becomes visible."""
    text = text.strip() or repr(text)[1:-1]
    return short(text.encode("ascii", "backslashreplace").decode(), 12)


def number(value: float) -> str:
    """Write a number with few digits, thousands set apart."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:.3g}"


def say(ax: Axes, text: str) -> None:
    """Write a sentence into the middle of an empty panel."""
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
