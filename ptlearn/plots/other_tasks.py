"""Figures of lesson 07: what a choice by few rows is worth, and draws of 32 rows."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .style import COLOURS, MARKERS, in_style, new_figure, palette, short


@in_style
def chosen_and_tested(
    frame: pd.DataFrame,
    named: Mapping[str, tuple[float, float]],
    *,
    rows: int,
    title: str = "One dot a pair of label words",
) -> Figure:
    """Draw the accuracy on the rows that choose against the accuracy on test rows.

    Parameters
    ----------
    frame : DataFrame
        One line for each combination of label words: ``dev`` and ``test``.
    named : dict of str to (float, float)
        Combinations to point out: their ``dev`` and ``test``.
    rows : int
        How many rows choose, for the label of the axis.

    Returns
    -------
    Figure
        A dot below the diagonal scored higher on the rows that choose than on test
        rows. Equal dots lie on each other and look darker.
    """
    fig = new_figure(4.4)
    ax = fig.subplots()
    ax.scatter(frame["dev"], frame["test"], s=18, color=COLOURS[0], alpha=0.25, lw=0)
    low = float(frame[["dev", "test"]].min().min()) - 0.02
    high = float(frame[["dev", "test"]].max().max()) + 0.02
    ax.plot([low, high], [low, high], color="black", lw=1, ls="--", label="equal")
    for i, (name, (dev, test)) in enumerate(named.items()):
        ax.plot(
            dev,
            test,
            MARKERS[(i + 1) % len(MARKERS)],
            color=COLOURS[(i + 1) % len(COLOURS)],
            markersize=10,
            markeredgecolor="black",
            label=name,
        )
    ax.set(
        xlabel=f"accuracy on the {rows} rows that choose",
        ylabel="accuracy on test rows",
        title=title,
    )
    ax.legend(title="", fontsize="small", loc="best")
    return fig


@in_style
def scores_by_draw(
    frame: pd.DataFrame,
    lines: Mapping[str, float],
    *,
    title: str = "One column a draw of 32 rows, one mark a run",
) -> Figure:
    """Draw the score of every run, draws of rows side by side.

    Parameters
    ----------
    frame : DataFrame
        One line a run: ``seed`` (the draw), ``arm`` and ``score``.
    lines : dict of str to float
        Scores to compare with, such as that of a wording; lines across the figure.

    Returns
    -------
    Figure
        Arms differ in colour and marker; a short line is the mean of a draw.
    """
    arms, draws = list(dict.fromkeys(frame["arm"])), sorted(frame["seed"].unique())
    fig = new_figure(4.0)
    ax = fig.subplots()
    shift = np.linspace(-0.2, 0.2, len(arms)) if len(arms) > 1 else [0.0]
    for arm, aside, marker, colour in zip(
        arms, shift, MARKERS, palette(len(arms)), strict=False
    ):
        part = frame[frame["arm"] == arm]
        places = part["seed"].map(draws.index) + aside
        ax.plot(places, part["score"], marker, ls="none", color=colour, label=arm)
    means = frame.groupby("seed")["score"].mean()
    ax.hlines(
        means.to_numpy(),
        np.arange(len(draws)) - 0.3,
        np.arange(len(draws)) + 0.3,
        color="black",
        lw=1,
    )
    for (name, height), style in zip(lines.items(), ("--", ":", "-."), strict=False):
        ax.axhline(height, color="black", lw=1.2, ls=style, label=short(name, 40))
    ax.set_xticks(range(len(draws)), [f"draw {draw}" for draw in draws])
    ax.grid(False, axis="x")
    ax.set(ylabel="accuracy on test rows", title=title)
    fig.legend(fontsize="small", loc="outside lower center", ncols=4)
    return fig
