"""The figure of what folding saves, and what it does not save."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import COLOURS, LIGHT, in_style, new_figure, number


@in_style
def fold_before_after(
    frame: pd.DataFrame, *, lm_bytes: int, title: str = "What folding saves"
) -> Figure:
    """Draw what is stored of a prompt, and the time to answer, before and after a fold.

    Parameters
    ----------
    frame : DataFrame
        A line for each state, such as "with encoder" and "folded". Columns ``bytes``
        (to store), and milliseconds for one batch: ``language model``, ``encoder``.
    lm_bytes : int
        Size of the language model: a line in the left panel.

    Returns
    -------
    Figure
        Bytes are dots on a logarithmic axis: a bar there would have no true length.
        The two times of a state stand end to end in one bar, so that what is saved is
        seen as the share that it is.
    """
    fig = new_figure(2.8)
    left, right = fig.subplots(1, 2, sharey=True)
    places = np.arange(len(frame))
    _bytes(left, frame["bytes"], places, lm_bytes)
    _times(right, frame, places)
    left.set_yticks(places, [str(name) for name in frame.index])
    left.set_ylim(len(frame) - 0.4, -0.7)
    for ax in (left, right):
        ax.grid(False, axis="y")
    fig.suptitle(title)
    return fig


def _bytes(ax: Axes, sizes: pd.Series, places: np.ndarray, lm_bytes: int) -> None:
    ax.plot(sizes, places, "D", color=COLOURS[0], markersize=7)
    written = [*zip(sizes, places, strict=True)]
    for size, place in written:
        ax.text(size, place + 0.3, _size(size), ha="center", fontsize="small")
    ax.axvline(lm_bytes, color="black", linestyle="--", lw=1.2)
    label = f"language model, {_size(lm_bytes)} "
    ax.text(lm_bytes, -0.4, label, ha="right", fontsize="small")
    ax.set(xscale="log", xlim=(sizes.min() / 20, 5 * lm_bytes))
    ax.set(xlabel="bytes to store, logarithmic")


def _times(ax: Axes, frame: pd.DataFrame, places: np.ndarray) -> None:
    begin = np.zeros(len(frame))
    for part, colour, hatch in (
        ("language model", LIGHT, ""),
        ("encoder", COLOURS[1], "//"),
    ):
        ax.barh(
            places,
            frame[part],
            left=begin,
            height=0.4,
            color=colour,
            hatch=hatch,
            edgecolor="black",
            label=part,
        )
        begin = begin + frame[part].to_numpy(float)
    ax.set(xlabel="milliseconds for one batch")
    ax.legend(fontsize="small", ncols=2, loc="lower right", bbox_to_anchor=(1, 0.99))


def _size(count: float) -> str:
    """Write a number of bytes in kB or MB."""
    if count >= 1e6:
        return f"{number(count / 1e6)} MB"
    return f"{number(count / 1e3)} kB"
