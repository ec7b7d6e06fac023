"""Figures of lesson 07: a choice by few rows, draws of 32 rows, arms and controls."""

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
    title: str = "One dot per pair of label words",
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
        xlabel=f"accuracy on {rows} dev rows used to choose",
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
    title: str = "One column per draw of 32 rows, one mark per run",
) -> Figure:
    """Draw the score of every run, draws of rows side by side.

    Parameters
    ----------
    frame : DataFrame
        One line a run: ``seed`` (the draw), ``arm`` and ``score``. The arms stand in
        the order of their first lines.
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
        label="mean of a draw",
    )
    for (name, height), style in zip(lines.items(), ("--", ":", "-."), strict=False):
        ax.axhline(height, color="black", lw=1.2, ls=style, label=short(name, 40))
    ax.set_xticks(range(len(draws)), [f"draw {draw}" for draw in draws])
    ax.grid(False, axis="x")
    ax.set(ylabel="accuracy on test rows", title=title)
    fig.legend(fontsize="small", loc="outside lower center", ncols=3)
    return fig


@in_style
def arms_and_controls(
    frame: pd.DataFrame, *, guess: float, title: str = "Arms and controls"
) -> Figure:
    """Draw the accuracy of each arm with its interval, kinds of arms apart.

    Parameters
    ----------
    frame : DataFrame
        Index: the arms, from above to below. Columns ``kind`` (such as "tuned" or
        "control"), ``accuracy``, ``low`` and ``high``.
    guess : float
        What a guess scores; a dotted line.

    Returns
    -------
    Figure
        Kinds differ in colour and marker.
    """
    kinds = list(dict.fromkeys(frame["kind"]))
    places = pd.Series(range(len(frame)), index=frame.index)
    fig = new_figure(1.6 + 0.3 * len(frame))
    ax = fig.subplots()
    for kind, marker, colour in zip(kinds, MARKERS, palette(len(kinds)), strict=False):
        part = frame[frame["kind"] == kind]
        ends = part["accuracy"] - part["low"], part["high"] - part["accuracy"]
        ax.errorbar(
            part["accuracy"],
            places[part.index],
            xerr=[end.to_numpy() for end in ends],
            fmt=marker,
            color=colour,
            capsize=3,
            label=kind,
        )
    ax.axvline(guess, color="black", ls=":", label="majority")
    ax.set_yticks(places, [short(str(name), 48) for name in frame.index])
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.set(xlabel="accuracy on test rows, with its 95 % interval", title=title)
    fig.legend(fontsize="small", loc="outside lower center", ncols=4)
    return fig
