"""Diagrams with numbers in them: what a small network computes, box by box."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import COLOURS, in_style, new_figure

Steps = Sequence[tuple[float, float, float]]
LEVELS = {"v": 0.0, "forward": 1.5, "backward": 3.0, "h": 4.5}
BOX = {"boxstyle": "round,pad=0.4", "facecolor": "white", "linewidth": 1.5}


@in_style
def unrolled_lstm(
    tokens: Sequence[Sequence[float]],
    forward: Steps,
    backward: Steps,
    table: Sequence[Sequence[float]],
    *,
    title: str = "",
) -> Figure:
    """Draw a bidirectional LSTM of one unit, unrolled over the virtual tokens.

    Liu et al. 2021, section 3.3, with one unit in each direction, so that every number
    can be written down.

    Parameters
    ----------
    tokens : sequence of n vectors
        What the LSTM reads, v_i, from the first virtual token to the last.
    forward, backward : sequence of n triples
        new_i, cell c_i and state s_i of each direction at each virtual token.
    table : sequence of n vectors
        The rows h_i that the MLP makes of the two states.
    title : str

    Returns
    -------
    Figure
        A column for each virtual token, read from below; the arrows between columns
        carry cell and state on.
    """
    fig = new_figure(5.2)
    ax = fig.subplots()
    for i, vector in enumerate(tokens):
        _box(ax, i, "v", f"$v_{i}$ = {_vector(vector, 0)}", "black")
        for name, steps, colour in (
            ("forward", forward, COLOURS[0]),
            ("backward", backward, COLOURS[1]),
        ):
            new, cell, state = steps[i]
            text = f"new {new:+.3f}\nc {cell:+.3f}\ns {state:+.3f}"
            _box(ax, i, name, f"{name}\n{text}", colour)
        _box(ax, i, "h", f"$h_{i}$ = {_vector(table[i], 3)}", "black")
        # To the side, so that what passes a box does not seem to enter it.
        _arrow(ax, (i - 0.05, "v"), (i - 0.05, "forward"), COLOURS[0])
        _arrow(ax, (i + 0.15, "v"), (i + 0.15, "backward"), COLOURS[1], bend=0.3)
        _arrow(ax, (i - 0.15, "forward"), (i - 0.15, "h"), COLOURS[0], bend=-0.3)
        _arrow(ax, (i + 0.05, "backward"), (i + 0.05, "h"), COLOURS[1])
    for i in range(len(tokens) - 1):
        _arrow(ax, (i, "forward"), (i + 1, "forward"), COLOURS[0])
        _arrow(ax, (i + 1, "backward"), (i, "backward"), COLOURS[1])
    ax.set(xlim=(-0.6, len(tokens) - 0.4), ylim=(-0.5, 5), title=title)
    ax.axis("off")
    return fig


def _vector(values: Sequence[float], digits: int) -> str:
    return "(" + ", ".join(f"{value:.{digits}f}" for value in values) + ")"


def _box(ax: Axes, column: float, level: str, text: str, colour) -> None:
    box = BOX | {"edgecolor": colour}
    ax.text(
        column,
        LEVELS[level],
        text,
        ha="center",
        va="center",
        fontsize="small",
        bbox=box,
        zorder=3,
    )


def _arrow(ax: Axes, start, end, colour, bend: float = 0.0) -> None:
    """Draw an arrow between two places, each a column and a level."""
    across = start[1] == end[1]
    (x0, y0), (x1, y1) = ((x, LEVELS[level]) for x, level in (start, end))
    if across:
        step = 0.26 if x1 > x0 else -0.26
        x0, x1 = x0 + step, x1 - step
    else:
        y0, y1 = y0 + (0.25 if start[1] == "v" else 0.5), y1 - 0.55
        y1 += 0.3 if end[1] == "h" else 0.0
    ax.annotate(
        "",
        (x1, y1),
        (x0, y0),
        arrowprops={
            "arrowstyle": "-|>",
            "color": colour,
            "linewidth": 1.5,
            "connectionstyle": f"arc3,rad={bend}",
        },
    )
