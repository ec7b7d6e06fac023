"""Figures for rows of your own: a sweep of rates, and a run beside the prior."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ..training.history import History
from ..training.learning_findings import yardsticks
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
def sweep_curves(runs: pd.DataFrame) -> Figure:
    """Draw the dev loss of a sweep by learning rate.

    Parameters
    ----------
    runs : DataFrame
        What ``studies.sweep`` returned; several sweeps joined with ``pandas.concat``.

    Returns
    -------
    Figure
        A line for each template and encoder, through the mean over seeds, which are
        small points. A wording that was not trained is a dotted level.
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
        ax.axhline(line["dev_loss"], color="black", ls=":")
        ax.annotate(
            "not trained",
            (0.01, line["dev_loss"]),
            xycoords=("axes fraction", "data"),
            va="bottom",
            fontsize=8,
        )
    ax.set(xscale="log", xlabel="learning rate", ylabel="lowest dev loss (nats)")
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.2))
    return fig


@in_style
def loss_beside_prior(history: History, labels: Sequence[str]) -> Figure:
    """Draw the losses of a run beside the loss of who has not read the row.

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
