"""Figures of stored studies: what helped and by how much, and how fast."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from .style import (
    COLOURS,
    HEIGHT,
    LIGHT,
    LINE_STYLES,
    arm_styles,
    from_zero,
    in_style,
    metric_name,
    new_figure,
    over_seeds,
    short,
)


@in_style
def what_helped(differences: pd.DataFrame, *, title: str = "What helped") -> Figure:
    """Draw the difference of each arm from the baseline, with two intervals.

    Parameters
    ----------
    differences : DataFrame
        What ``pt.studies.paired_differences`` returned; the best arm comes first.

    Returns
    -------
    Figure
        Two intervals for each arm, one above the other: over seeds (thick, with the
        mean) and, below it, over test rows (thin). Where either crosses the line at
        zero, there may be no difference at all.
    """
    table = differences.sort_values("difference", ascending=False)
    fig = new_figure(max(HEIGHT, 1.4 + 0.42 * len(table)))
    ax = fig.subplots()
    places = np.arange(len(table))
    # Not on one line: the thick bar would hide the ends of the thin one.
    for prefix, below, width in (("", -0.12, 4), ("rows_", 0.16, 1.6)):
        ax.hlines(
            places + below,
            table[f"{prefix}low"].astype(float),
            table[f"{prefix}high"].astype(float),
            color="black" if prefix else COLOURS[0],
            linewidth=width,
            label=f"95 % interval over {'test rows' if prefix else 'seeds'}",
        )
    ax.plot(table["difference"], places - 0.12, "D", color="black", markersize=5)
    ax.axvline(0, color="black", linestyle="--", lw=1)
    ax.set_yticks(places, [short(str(name), 40) for name in table.index])
    ax.invert_yaxis()
    ax.margins(y=0.08)
    ax.grid(False, axis="y")
    fig.legend(fontsize="small", loc="outside lower center", ncols=2)
    ax.set(xlabel="difference in score from the baseline", title=title)
    return fig


@in_style
def verdicts(
    table: pd.DataFrame, *, smallest_effect: float = 0.05, title: str = "Verdicts"
) -> Figure:
    """Draw each contrast's difference with its intervals, beside the band of no effect.

    Parameters
    ----------
    table : DataFrame
        What ``pt.studies.verdicts`` returned.
    smallest_effect : float
        Half the width of the band: differences inside it are too small to matter.

    Returns
    -------
    Figure
        A thin bar is the 95 % interval, a thick one the 90 % interval: *equivalent*
        means that the thick one lies within the band.
    """
    fig = new_figure(max(HEIGHT, 1.4 + 0.42 * len(table)))
    ax = fig.subplots()
    places = np.arange(len(table))
    ax.axvspan(-smallest_effect, smallest_effect, color=LIGHT, alpha=0.35, lw=0)
    for suffix, width, label in (("", 1.2, "95 %"), ("90", 4, "90 %")):
        ax.hlines(
            places,
            table[f"low{suffix}"].astype(float),
            table[f"high{suffix}"].astype(float),
            color=COLOURS[0] if suffix else "black",
            linewidth=width,
            label=f"{label} interval, over seeds and rows",
        )
    ax.plot(table["difference"], places, "D", color="black", markersize=5)
    ax.axvline(0, color="black", linestyle="--", lw=1)
    named = zip(table.index, table["verdict"], strict=True)
    ax.set_yticks(places, [f"{short(str(name), 40)}: {v}" for name, v in named])
    ax.invert_yaxis()
    ax.margins(y=0.08)
    ax.grid(False, axis="y")
    fig.legend(fontsize="small", loc="outside lower center", ncols=2)
    ax.set(xlabel="difference in score (band: too small to matter)", title=title)
    return fig


@in_style
def beside_baselines(
    studies: Mapping[str, pd.DataFrame],
    baselines: Sequence[str],
    *,
    title: str = "Tuned prompts beside untrained ones",
) -> Figure:
    """Draw every final run of each arm, tuned and untrained, a panel for each study.

    Parameters
    ----------
    studies : {name: DataFrame}
        What ``pt.studies.results`` returned for each.
    baselines : sequence of str
        Untrained arms through whose means a line is drawn.

    Returns
    -------
    Figure
        A dot for each run, a diamond for the mean of an arm; tuned arms (those with a
        learning rate) above, untrained ones below a line.
    """
    runs = {name: frame[frame["final"]] for name, frame in studies.items()}
    arms = pd.concat(runs).groupby("arm", sort=False)["lr"].first()
    names = [*arms[arms.notna()].index, *arms[arms.isna()].index]
    fig = new_figure(1.5 + 0.3 * len(names))
    panels = fig.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    for ax, (study, frame) in zip(panels, runs.items(), strict=True):
        place = frame["arm"].map(names.index)
        means = frame.groupby("arm")["score"].mean()
        ax.plot(frame["score"], place, "o", color=COLOURS[0], ms=4, alpha=0.45)
        at = [names.index(arm) for arm in means.index]
        ax.plot(means, at, "D", color="black", ms=6, ls="")
        for style, name in zip(LINE_STYLES[1:], baselines, strict=False):
            ax.axvline(means[name], color="black", ls=style, lw=1.2, label=name)
        ax.axhline(arms.notna().sum() - 0.5, color="0.6", lw=1)
        metric = frame["metric"].iloc[0]
        ax.set(xlabel=f"{metric_name(metric)} on test rows", title=study)
        ax.grid(False, axis="y")
    panels[0].set_yticks(range(len(names)), [short(name, 30) for name in names])
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    handles, labels = panels[0].get_legend_handles_labels()
    fig.legend(handles, labels, fontsize="small", loc="outside lower center", ncols=2)
    fig.suptitle(title)
    return fig


@in_style
def convergence(
    frame: pd.DataFrame, *, title: str = "Dev score while training"
) -> Figure:
    """Draw the mean dev score of each arm by step, with its 95 % interval over seeds.

    Parameters
    ----------
    frame : DataFrame
        What ``pt.studies.results`` returned; only lines with ``final`` are drawn.

    Returns
    -------
    Figure
        A line for each arm, and a band for its interval.
    """
    final = frame[frame["final"] & (frame["error"] == "")]
    points = pd.DataFrame(
        [
            {"arm": arm, "step": step, "score": score}
            for arm, curve in zip(final["arm"], final["dev_curve"], strict=True)
            for step, score in curve
        ],
        columns=["arm", "step", "score"],
    )
    arms = list(dict.fromkeys(points["arm"]))
    fig = new_figure()
    ax = fig.subplots()
    if arms:
        sns.lineplot(
            points,
            x="step",
            y="score",
            hue="arm",
            style="arm",
            **arm_styles(arms),
            errorbar=over_seeds,
            ax=ax,
        )
        from_zero(ax)
        sns.move_legend(ax, "center left", bbox_to_anchor=(1, 0.5), title="")
    ax.set(xlabel="step", ylabel="score on dev rows", title=title)
    return fig
