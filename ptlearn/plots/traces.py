"""Figures of recorded traces: loss curves with switches, and lines between tables."""

import re

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import (
    HEIGHT,
    arm_styles,
    in_style,
    new_figure,
    plain_log,
    say,
    short,
)

COLUMNS = ["arm", "kind", "error", "encoder", "switch_at", "dev_losses"]


@in_style
def loss_curves(
    frame: pd.DataFrame,
    arms: list[str] | None = None,
    *,
    title: str = "Dev loss while training",
) -> Figure:
    """Draw the dev loss of each arm by step.

    Parameters
    ----------
    frame : DataFrame
        What ``experiment_results`` returned.
    arms : list of str, optional
        Those to draw, in order; None: all.

    Returns
    -------
    Figure
        Means over seeds; the band spans all of them, lowest to highest.
    """
    traces = _whole(frame)
    arms = arms or list(dict.fromkeys(traces["arm"]))
    fig = new_figure(height=max(HEIGHT, 1.2 + 0.28 * len(arms)))
    _curves(fig.subplots(), traces, arms)
    fig.suptitle(title)
    return fig


@in_style
def switches(
    frame: pd.DataFrame,
    *,
    title: str = "Is an encoder faster, or does it end elsewhere?",
) -> Figure:
    """Draw the dev loss of runs whose encoder was taken away, or put on, on the way.

    Parameters
    ----------
    frame : DataFrame
        What ``experiment_results("speed_or_optimum")`` returned.

    Returns
    -------
    Figure
        Above, runs that began with an encoder; below, runs that began without one.
        The bare run is in both. A vertical line in an arm's colour stands where the
        table was folded and another encoder went on from it.
    """
    traces = _whole(frame)
    bare = traces["encoder"] == "none"
    plain = list(dict.fromkeys(traces.loc[bare & (traces["switch_at"] == 0), "arm"]))
    fig = new_figure(2 * HEIGHT)
    panels = fig.subplots(2, 1, sharex=True, sharey=True)
    for ax, chosen, label in zip(
        panels, (~bare, bare), ("began with an encoder", "began bare"), strict=True
    ):
        arms = list(dict.fromkeys([*plain, *traces.loc[chosen, "arm"]]))
        _curves(ax, traces, arms)
        colours = arm_styles(arms)["palette"]
        ax.set_title(label)
        for i, arm in enumerate(arms):
            for step in set(traces.loc[traces["arm"] == arm, "switch_at"]) - {0}:
                # Side by side where arms are switched at one step.
                at = step + 0.5 * (i - len(arms) / 2)
                ax.axvline(at, color=colours[arm], lw=1.2, ls=":")
    fig.suptitle(title)
    return fig


def _whole(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.reindex(columns=[*dict.fromkeys([*frame, *COLUMNS])])
    return frame[(frame["kind"] == "trace") & (frame["error"] == "")]


def _curves(ax: Axes, traces: pd.DataFrame, arms: list[str]) -> None:
    traces = traces[traces["arm"].isin(arms)]
    if traces.empty:
        say(ax, "no traces have run yet")
        return
    points = pd.DataFrame(
        [
            {"arm": arm, "step": step, "loss": loss}
            for arm, curve in zip(traces["arm"], traces["dev_losses"], strict=True)
            for step, loss in curve
        ]
    )
    sns.lineplot(
        points,
        x="step",
        y="loss",
        hue="arm",
        style="arm",
        hue_order=arms,
        style_order=arms,
        **arm_styles(arms),
        errorbar=("pi", 100),
        err_kws={"alpha": 0.12},
        ax=ax,
    )
    sns.move_legend(ax, "center left", bbox_to_anchor=(1, 0.5), title="")
    plain_log(ax.yaxis)
    ax.set(xlabel="step", ylabel="dev loss (nats a row)")


@in_style
def barriers(
    frame: pd.DataFrame, *, title: str = "The loss on straight lines between tables"
) -> Figure:
    """Draw dev loss along the lines between tables, and the heights of barriers.

    Parameters
    ----------
    frame : DataFrame
        What ``experiment_results("surface")`` returned.

    Returns
    -------
    Figure
        A panel for each kind of line there is, from above: each arm's own way from
        its start to its end; two seeds of one arm; two arms from one seed. A thin
        line is one pair, a thick one the mean.
    """
    lines = frame[(frame["kind"] == "line") & (frame["error"] == "")]
    names = lines["arm"].astype(str).str
    kinds = {
        "from start to end": names.endswith(", its way"),
        "two seeds of an arm": names.endswith(", two seeds"),
        "two arms, one seed": names.contains(" to "),
    }
    drawn = {label: lines[own] for label, own in kinds.items() if own.any()}
    fig = new_figure(max(1, 0.8 * len(drawn)) * HEIGHT)
    panels = fig.subplots(max(1, len(drawn)), 1, sharex=True, squeeze=False)[:, 0]
    if not drawn:
        say(panels[0], "no lines yet")
    for ax, (label, own) in zip(panels, drawn.items(), strict=False):
        _lines(ax, own)
        ax.set(ylabel="dev loss (nats a row)", title=label)
    panels[-1].set_xlabel("share of the way")
    fig.suptitle(title)
    return fig


def _lines(ax: Axes, own: pd.DataFrame) -> None:
    """Draw each line between two tables, and the mean of each kind."""
    names = list(dict.fromkeys(own["arm"]))
    # A line from one arm to another looks like the arm that it leads to.
    arms = {n: re.sub("^.* to |, (its way|two seeds)$", "", n) for n in names}
    if len(set(arms.values())) < len(arms):
        arms = dict(zip(names, names, strict=True))
    styles = arm_styles(arms.values())
    for name, arm in arms.items():
        curves = np.array(own.loc[own["arm"] == name, "losses"].tolist())
        shares = np.linspace(0, 1, curves.shape[1])
        colour = styles["palette"][arm]
        ax.plot(shares, curves.T, color=colour, lw=0.6, alpha=0.5)
        ax.plot(
            shares,
            curves.mean(axis=0),
            color=colour,
            dashes=styles["dashes"][arm] or (None, None),
            marker=styles["markers"][arm],
            markevery=5,
            label=short(re.sub(", (its way|two seeds)$", "", name), 28),
        )
    ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
