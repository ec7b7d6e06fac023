"""Figures of scores: what an interval keeps, how far apart wordings are."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from .style import HEIGHT, dashes, in_style, new_figure, palette


@in_style
def coverage_curves(
    frame: pd.DataFrame,
    *,
    promise: float = 95,
    title: str = "How many of 100 intervals contain the true share",
) -> Figure:
    """Draw how often each rule's interval contains the true share.

    Parameters
    ----------
    frame : DataFrame
        One column for each rule, in intervals of 100. The index is the true share.
    promise : float
        What every rule promises; a thin line.
    """
    fig = new_figure()
    ax = fig.subplots()
    sns.lineplot(
        frame,
        palette=palette(frame.shape[1]),
        dashes=dashes(frame.shape[1]),
        ax=ax,
    )
    ax.axhline(promise, color="black", linewidth=1, label=f"promise: {promise:g}")
    ax.set(xlabel="true share of hits", ylabel="intervals of 100", title=title)
    ax.legend(title="", fontsize="small")
    return fig


@in_style
def scores_by_task(
    frame: pd.DataFrame, *, title: str = "One mark a wording, one line a task"
) -> Figure:
    """Draw the test score of every wording, tasks below each other.

    Parameters
    ----------
    frame : DataFrame
        One line for each wording: ``task``, ``score`` and ``metric``.

    Returns
    -------
    Figure
        Tasks of one metric stand together, that with the highest score first. Metrics
        differ in colour and marker, since their scores cannot be compared.
    """
    best = frame.groupby(["metric", "task"], sort=False)["score"].max().reset_index()
    order = best.sort_values(["metric", "score"], ascending=False)["task"].tolist()
    metrics = sorted(frame["metric"].unique())
    fig = new_figure(height=max(HEIGHT, 1.2 + 0.27 * len(order)))
    ax = fig.subplots()
    for metric, marker, colour in zip(metrics, "os^D", palette(4), strict=False):
        part = frame[frame["metric"] == metric]
        places = part["task"].map(order.index).to_numpy()
        # Equal scores would hide each other: the others move up and down in turn.
        turn = part.groupby(["task", "score"]).cumcount().to_numpy()
        shift = 0.12 * ((turn + 1) // 2) * np.where(turn % 2, 1, -1)
        ax.scatter(
            part["score"],
            places + shift,
            marker=marker,
            color=colour,
            alpha=0.7,
            label=metric,
        )
    ax.set_yticks(range(len(order)), order)
    ax.invert_yaxis()
    ax.set(xlabel="test score of one wording", xlim=(-0.02, 1), title=title)
    ax.legend(title="", fontsize="small")
    return fig
