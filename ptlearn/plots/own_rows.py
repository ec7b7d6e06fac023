"""Figures for rows of your own: a sweep of rates, and a run beside the prior."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..training.history import History
from ..training.score_findings import yardsticks
from .style import (
    COLOURS,
    LINE_STYLES,
    MARKERS,
    in_style,
    new_figure,
    plain_log,
    short,
)


@in_style
def sweep_curves(runs: pd.DataFrame, labels: Sequence[str] = ()) -> Figure:
    """Draw the dev loss of a sweep by learning rate.

    Parameters
    ----------
    runs : DataFrame
        What ``studies.sweep`` returned; several sweeps joined with ``pandas.concat``.
    labels : sequence of str
        Of the dev rows: the loss of the same probability for each is a grey level.

    Returns
    -------
    Figure
        A line for each template and encoder, through the mean over seeds, which are
        small points; both axes are logarithmic. A wording that was not trained is a
        dotted level.
    """
    fig = new_figure(height=3.4)
    ax = fig.subplots()
    trained = runs[runs["lr"].notna()]
    of = trained.groupby(["template", "encoder"], sort=False)
    for i, ((template, encoder), part) in enumerate(of):
        mean = part.groupby("lr")["dev_loss"].mean()
        name = f"{short(template, 44)}, {encoder}"
        look = {"marker": MARKERS[i % 8], "linestyle": LINE_STYLES[i % 8]}
        ax.plot(mean.index, mean, color=COLOURS[i % 8], label=name, **look)
        ax.plot(part["lr"], part["dev_loss"], ".", color=COLOURS[i % 8], ms=4)
    for _, line in runs[runs["lr"].isna()].iterrows():
        _level(ax, line["dev_loss"], "hand-written wording, not trained", "black", ":")
    if len(labels):
        even = yardsticks(list(labels))[0]
        _level(ax, even, "ln K: each class the same", "grey", "-")
    ax.set(xscale="log", xlabel="learning rate")
    ax.set_ylabel("lowest dev loss (nats), logarithmic")
    plain_log(ax.yaxis)
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.2))
    return fig


def _level(ax: Axes, height: float, name: str, colour: str, dashes: str) -> None:
    ax.axhline(height, color=colour, ls=dashes, lw=1.2)
    # In the middle: the first and last rates stand at the sides.
    place = {"xy": (0.5, height), "xycoords": ("axes fraction", "data")}
    ax.annotate(name, **place, va="bottom", ha="center", fontsize=8)


@in_style
def loss_beside_prior(history: History, labels: Sequence[str]) -> Figure:
    """Draw the losses of a run beside the loss of a model that does not read the row.

    Parameters
    ----------
    history : History
    labels : sequence of str
        Of the dev rows; their entropy is a dotted level.
    """
    frame, prior = history.frame, yardsticks(list(labels))[1]
    dev = frame[frame["dev_loss"].notna()]
    fig = new_figure(height=2.8)
    ax = fig.subplots()
    ax.plot(
        frame["step"], frame["loss"], color=COLOURS[0], lw=1.2, label="train, a batch"
    )
    ax.plot(dev["step"], dev["dev_loss"], "s--", color=COLOURS[1], label="dev")
    ax.axhline(prior, color="black", ls=":", label="labels' shares alone")
    ax.axvline(history.best_step, color="grey", lw=1, label="step kept")
    ax.set(xlabel="step", ylabel="loss (nats), logarithmic")
    plain_log(ax.yaxis)
    ax.legend(fontsize=8)
    return fig
