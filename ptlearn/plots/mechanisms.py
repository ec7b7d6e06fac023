"""Figures of what an encoder does: rates, step lengths, coupling, vector lengths."""

import textwrap

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..mechanisms.tables import (
    coupling_maps,
    early_move,
    graft_table,
    mechanism_summary,
    sgd_table,
)
from ..studies.rates import lowest_dev_loss
from .style import (
    COLOURS,
    HEIGHT,
    LINE_STYLES,
    WIDTH,
    arm_styles,
    in_style,
    new_figure,
    new_panels,
    palette,
    plain_log,
    say,
    short,
)

LOSS = "dev loss (nats a row)"


@in_style
def rate_and_move(
    frame: pd.DataFrame, *, title: str = "One rate is not one step"
) -> Figure:
    """Draw dev loss against learning rate (left) and against the table's move (right).

    Parameters
    ----------
    frame : DataFrame
        A line for each run, as ``results`` returned them: ``arm``, ``lr``, ``error``,
        ``dev_losses`` ([step, loss] pairs), ``moves`` (root mean square a coordinate,
        of each step).

    Returns
    -------
    Figure
        A point is the mean over an arm's seeds at one rate, of the lowest dev loss;
        the small points are single seeds. Where the curves of all arms fall together
        on the right, an encoder does no more than multiply the rate.
    """
    runs = frame.dropna(subset="lr")
    runs = pd.DataFrame(
        {
            "arm": runs["arm"],
            "lr": runs["lr"].astype(float),
            "move": [early_move(row) for _, row in runs.iterrows()],
            "loss": [lowest_dev_loss(row) for _, row in runs.iterrows()],
        }
    ).replace([np.inf, -np.inf], np.nan)
    runs = runs.dropna()
    fig, panels = new_panels(2)
    arms = list(dict.fromkeys(runs["arm"]))
    styles = arm_styles(arms)
    for ax, x, label in zip(
        panels,
        ("lr", "move"),
        ("learning rate", "move of the table a step (rms)"),
        strict=True,
    ):
        for arm in arms:
            own = runs[runs["arm"] == arm]
            means = own.groupby("lr")[["move", "loss"]].mean().reset_index()
            colour, mark = styles["palette"][arm], styles["markers"][arm]
            ax.plot(own[x], own["loss"], mark, color=colour, markersize=3, alpha=0.4)
            ax.plot(
                means[x],
                means["loss"],
                color=colour,
                marker=mark,
                dashes=styles["dashes"][arm] or (None, None),
                label=arm,
            )
        if len(runs):
            ax.set_xscale("log")
        ax.set(xlabel=label, ylabel=LOSS)
    panels[0].set_title("by learning rate")
    panels[1].set_title("by what the table moves")
    if arms:
        _legend_below(fig, panels[0])
    fig.suptitle(title)
    return fig


@in_style
def grafts(
    frame: pd.DataFrame, *, title: str = "Length of a step, or its direction?"
) -> Figure:
    """Draw the dev loss of each direction of a step with each length, as heat maps.

    Parameters
    ----------
    frame : DataFrame
        What ``experiment_results("step_or_direction")`` returned.

    Returns
    -------
    Figure
        A panel for each encoder; everything in it starts at that encoder's fresh
        output. In each field the mean over seeds and [lowest, highest].
    """
    table = graft_table(frame)
    encoders = list(dict.fromkeys(table["encoder"]))
    fig, panels = new_panels(max(1, len(encoders)))
    if not encoders:
        say(panels[0], "no grafts have run yet")
    low, high = table["dev_loss"].min(), table["dev_loss"].max()
    for ax, encoder in zip(panels, encoders, strict=False):
        own = table[table["encoder"] == encoder]
        means, texts = (
            own.pivot(index="direction", columns="length", values=value)
            .reindex(index=dict.fromkeys(own["direction"]))
            .reindex(columns=dict.fromkeys(own["length"]))
            for value in ("dev_loss", "text")
        )
        sns.heatmap(
            means,
            annot=texts.fillna(""),
            fmt="",
            cmap="cividis_r",
            vmin=low,
            vmax=high,
            cbar=encoder == encoders[-1],
            cbar_kws={"label": LOSS},
            annot_kws={"fontsize": 8},
            ax=ax,
        )
        ax.tick_params(axis="both", labelrotation=0, labelsize=8)
        ax.set(xlabel="step length taken from", ylabel="step direction taken from")
        ax.set_title(f"start: the {encoder}'s fresh output")
    fig.suptitle(title)
    return fig


@in_style
def sgd_and_adam(
    frame: pd.DataFrame, *, title: str = "The same encoders under SGD and Adam"
) -> Figure:
    """Draw dev loss after as many steps of SGD and of Adam, by the table's move.

    Parameters
    ----------
    frame : DataFrame
        What ``experiment_results("step_or_direction")`` returned.

    Returns
    -------
    Figure
        A line for each encoder under SGD, with its 95 % interval over seeds; the
        hollow marks are Adam's.
    """
    table = sgd_table(frame)
    fig = new_figure()
    ax = fig.subplots()
    styles = arm_styles(table["encoder"])
    for i, (encoder, own) in enumerate(table.groupby("encoder", sort=False)):
        colour, mark = styles["palette"][encoder], styles["markers"][encoder]
        beside = 1.02 ** (i - 1.5)  # or the marks would hide each other
        for optimizer, style in (
            ("sgd", {"label": encoder, "linestyle": LINE_STYLES[i % 4]}),
            ("adam", {"markerfacecolor": "white", "linestyle": "", "markersize": 8}),
        ):
            points = own[own["optimizer"] == optimizer].sort_values("move")
            ends = [
                points["dev_loss"] - points["low"],
                points["high"] - points["dev_loss"],
            ]
            ax.errorbar(
                points["move"] * beside,
                points["dev_loss"],
                yerr=[end.fillna(0).clip(lower=0) for end in ends],
                color=colour,
                marker=mark,
                capsize=3,
                **style,
            )
    if len(table):
        plain_log(ax.xaxis)
        ax.plot([], [], "o", color="black", markerfacecolor="white", label="Adam")
        ax.legend(title="", fontsize="small")
        step = int(table["step"].iloc[0])
        ax.set_ylabel(f"dev loss after {step} steps (nats a row)")
    ax.set_xlabel("move of the table in one of the first steps (rms)")
    ax.set_title(title)
    return fig


@in_style
def coupling(
    frame: pd.DataFrame, *, title: str = "Do virtual tokens move together?"
) -> Figure:
    """Draw the cosines between the moves of virtual tokens: arm by arm, step by step.

    Parameters
    ----------
    frame : DataFrame
        What ``experiment_results("coupling")`` returned.

    Returns
    -------
    Figure
        A row of heat maps for each arm, means over seeds. In each title the mean over
        pairs of different tokens.
    """
    maps = coupling_maps(frame)
    steps = sorted({step for of in maps.values() for step in of})
    fig = new_figure(height=max(HEIGHT, 1.0 + 1.2 * len(maps)))
    panels = fig.subplots(max(1, len(maps)), max(1, len(steps)), squeeze=False)
    if not maps:
        say(panels[0][0], "no traces have run yet")
    for line, (arm, of) in zip(panels, maps.items(), strict=False):
        for ax, step in zip(line, steps, strict=True):
            _cosine_map(ax, of.get(step))
            ax.set_title(f"step {step}: {_off_diagonal(of.get(step)):.2f}", fontsize=9)
        label = textwrap.fill(short(arm, 40), 14)
        line[0].set_ylabel(label, rotation=0, ha="right", va="center")
    if maps:
        fig.colorbar(panels[0][0].collections[0], ax=panels, label="cosine", shrink=0.5)
    fig.suptitle(title)
    return fig


def _cosine_map(ax: Axes, cosines: np.ndarray | None) -> None:
    if cosines is None:
        ax.set_axis_off()
        return
    sns.heatmap(
        cosines,
        vmin=-1,
        vmax=1,
        cmap="PuOr_r",
        square=True,
        cbar=False,
        xticklabels=False,
        yticklabels=False,
        ax=ax,
    )


def _off_diagonal(cosines: np.ndarray | None) -> float:
    if cosines is None or len(cosines) < 2:
        return np.nan
    return float(cosines[~np.eye(len(cosines), dtype=bool)].mean())


@in_style
def lengths(
    frame: pd.DataFrame, *, title: str = "Lengths of the vectors, and the loss"
) -> Figure:
    """Draw each arm's vector lengths at the start and the end, and its dev loss.

    Parameters
    ----------
    frame : DataFrame
        What ``experiment_results("lengths")`` returned.

    Returns
    -------
    Figure
        Left the mean length at the start and at the end; right the dev loss with its
        95 % interval over seeds.
    """
    table = mechanism_summary(frame)
    fig, (left, right) = new_panels(2, height=max(HEIGHT, 1.4 + 0.3 * len(table)))
    right.sharey(left)
    colours = palette(2)
    for place, (_, arm) in enumerate(table.iterrows()):
        ends = arm[["start_length", "end_length"]]
        left.plot(ends, [place, place], color=COLOURS[7], lw=1.5)
        left.plot(ends.iloc[0], place, "o", color=colours[0], markerfacecolor="white")
        left.plot(ends.iloc[1], place, "s", color=colours[1])
        right.hlines(place, arm["low"], arm["high"], color=COLOURS[0], linewidth=4)
        right.plot(arm["dev_loss"], place, "D", color="black")
    if len(table):
        plain_log(left.xaxis)
        left.set_yticks(range(len(table)), [short(str(a), 30) for a in table.index])
        left.invert_yaxis()
    right.tick_params(labelleft=False)
    left.set(xlabel="length: circle start, square end", title="Lengths")
    right.set(xlabel=LOSS, title="Dev loss at the end")
    fig.suptitle(title)
    return fig


def _legend_below(fig: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    columns = max(1, min(len(labels), int(WIDTH / 1.6)))
    fig.legend(
        handles, labels, loc="outside lower center", ncols=columns, fontsize="small"
    )
