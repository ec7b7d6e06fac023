"""Figures of P-Tuning among its relatives: scores, costs, forgetting, customers."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from .style import (
    COLOURS,
    LIGHT,
    LINE_STYLES,
    MARKERS,
    in_style,
    metric_name,
    new_figure,
    number,
    say,
)

COSTS = {
    "trained": "numbers trained",
    "kept": "numbers kept",
    "bytes": "bytes on disk",
    "peak_mb": "peak memory, MB",
}
LINEAR = ("peak_mb", "step_seconds", "answer_ms")
"""Costs whose methods lie within a few times of each other."""
ALONE = "best wording"
"""What it needs all methods need: Python, the model, and room to answer."""
TIMES = {"step_seconds": "seconds a step", "answer_ms": "ms an answer"}


@in_style
def relatives_quality(
    summary: pd.DataFrame,
    metrics: dict[str, str],
    *,
    title: str = "Test scores, each method at its own rate",
) -> Figure:
    """Draw each method's score with its 95 % interval, a panel for each task.

    Parameters
    ----------
    summary : DataFrame
        What ``relatives_summary`` returned for one number of rows: index ``task`` and
        ``method``.
    metrics : dict
        The metric of each task.

    Returns
    -------
    Figure
        A full mark where all trials are there; an open one, with how many there are,
        where some are missing. A cross marks a score of another kind (a probe's
        accuracy beside strict P@1).
    """
    tasks = list(dict.fromkeys(summary.index.get_level_values("task")))
    fig = new_figure(4.2)
    panels = fig.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    for ax, task in zip(panels, tasks, strict=True):
        lines = summary.loc[task]
        strict = metrics[task] == "p_at_1"
        for place, (method, line) in enumerate(lines.iterrows()):
            other = strict and method == "linear probe"
            _score(ax, place, line, other)
        ax.set_title(task)
        ax.set(xlabel=metric_name(metrics[task]), xlim=(0, 1))
        ax.grid(False, axis="y")
    panels[0].set_yticks(range(len(lines)), list(lines.index))
    panels[0].set_ylim(len(lines) - 0.5, -0.5)
    fig.suptitle(title)
    return fig


def _score(ax: Axes, place: int, line: pd.Series, other: bool) -> None:
    there = f"{line['runs']:.0f} of {line['planned']:.0f}"
    if np.isnan(line["score"]):
        ax.text(0.5, place, "not run yet", ha="center", va="center", fontsize="small")
        return
    whole = line["runs"] >= line["planned"]
    colour = COLOURS[1] if other else COLOURS[0]
    ax.plot([line["low"], line["high"]], [place, place], color=colour, lw=2)
    ax.plot(
        line["score"],
        place,
        "X" if other else "o",
        color=colour,
        markerfacecolor=colour if whole else "white",
        markersize=7,
    )
    if not whole:
        left = line["high"] > 0.8
        ax.annotate(
            there,
            (line["low"] if left else line["high"], place),
            (-4 if left else 4, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize="small",
        )


@in_style
def relatives_costs(
    table: pd.DataFrame, *, title: str = "What each method costs"
) -> Figure:
    """Draw what each method costs: numbers, bytes, memory, times.

    Parameters
    ----------
    table : DataFrame
        Index method; those columns of ``trained``, ``kept``, ``bytes``, ``peak_mb``,
        ``step_seconds`` and ``answer_ms`` that are known.

    Returns
    -------
    Figure
        A panel for each column. Dots, since a bar on a logarithmic axis has no true
        length. Zero has no place on it: there stands "none" instead of a dot. In the
        memory's bars the light part is what the wording alone needs, where it is known.
    """
    named = COSTS | TIMES
    shown = [name for name in named if name in table and table[name].notna().any()]
    fig = new_figure(3.8 if len(shown) > 2 else 3.4)
    if not shown:
        say(fig.subplots(), "nothing was measured yet")
        return fig
    panels = fig.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    for ax, name in zip(panels, shown, strict=True):
        values = table[name].astype(float)
        label = named[name]
        if name not in LINEAR:
            _dots(ax, values)
            label += "\n(log scale)"
        elif name == "peak_mb" and values.get(ALONE, 0) > 0:
            _bars(ax, values, least=values[ALONE])
            label += f"\n(light: {ALONE})"
        else:
            _bars(ax, values)
        ax.set_xlabel(label, fontsize="small")
        ax.grid(False, axis="y")
    panels[0].set_yticks(range(len(table)), list(table.index))
    panels[0].set_ylim(len(table) - 0.5, -0.7)
    fig.suptitle(title)
    return fig


def _dots(ax: Axes, values: pd.Series) -> None:
    above = values[values > 0]
    low, high = (above.min() / 3, above.max() * 3) if len(above) else (1, 10)
    for place, value in enumerate(values):
        if np.isnan(value):
            continue
        if value > 0:
            ax.plot(value, place, "D", color=COLOURS[0], markersize=5)
        right = value > (low * high) ** 0.5
        ax.annotate(
            _short_number(value),
            (max(value, low), place),
            (-5 if right else 5 * (value > 0), 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="center",
            fontsize="x-small",
        )
    ax.set(xscale="log", xlim=(low / 2, high * 2))
    ax.xaxis.set_major_locator(LogLocator(numticks=4))
    ax.minorticks_off()


def _short_number(value: float) -> str:
    if value == 0:
        return "none"
    return number(value) if value < 1e6 else f"{number(value / 1e6)} M"


def _bars(ax: Axes, values: pd.Series, least: float = 0.0) -> None:
    """Draw bars from zero; what each has up to ``least`` is light."""
    places, lengths = range(len(values)), values.fillna(0)
    bars = ax.barh(places, lengths, color=COLOURS[0], height=0.5)
    ax.barh(places, lengths.clip(upper=least), color=LIGHT, height=0.5)
    texts = ["" if np.isnan(value) else number(value) for value in values]
    ax.bar_label(bars, texts, padding=2, fontsize="x-small")
    ax.set_xlim(0, 1.5 * values.max())
    ax.locator_params(axis="x", nbins=3)


@in_style
def forgetting(
    summary: pd.DataFrame, *, title: str = "The other task's wording, afterwards"
) -> Figure:
    """Draw what changed models score on the other task, beside the model before.

    Parameters
    ----------
    summary : DataFrame
        What ``relatives_summary`` returned for one number of rows: index ``task`` (what
        was learnt) and ``method``; columns ``before`` and ``other``.
    """
    known = summary[summary["other"].notna()]
    fig = new_figure(1.4 + 0.32 * max(len(known), 2))
    ax = fig.subplots()
    if known.empty:
        say(ax, "nothing was measured yet")
        return fig
    names = [f"{method}\nafter {task}" for task, method in known.index]
    for place, (_, line) in enumerate(known.iterrows()):
        ax.plot([line["before"], line["other"]], [place] * 2, color="black", lw=1.2)
        ax.plot(line["before"], place, "o", color=COLOURS[0], label="before")
        ax.plot(line["other"], place, "X", color=COLOURS[1], label="left on, after")
    ax.set_yticks(range(len(names)), names, fontsize="x-small")
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set(xlim=(0, 1), xlabel="score on the other task", title=title)
    ax.grid(False, axis="y")
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[:2], labels[:2], fontsize="small", loc="lower right")
    return fig


@in_style
def many_customers(
    table: pd.DataFrame, *, title: str = "Disk space for many customers"
) -> Figure:
    """Draw the bytes on disk against the number of customers, both logarithmic.

    Parameters
    ----------
    table : DataFrame
        What ``customers_table`` returned.

    Returns
    -------
    Figure
        A line across it stands at twice the shared model: where a curve meets it, the
        customers' files weigh as much as the model.
    """
    fig = new_figure(3.8)
    ax = fig.subplots()
    if table.empty:
        say(ax, "the bytes of full fine-tuning are not measured yet")
        return fig
    for place, (method, sizes) in enumerate(table.iterrows()):
        ax.plot(
            sizes.index,
            sizes / 1e9,
            color=COLOURS[place % len(COLOURS)],
            linestyle=LINE_STYLES[place % len(LINE_STYLES)],
            marker=MARKERS[place % len(MARKERS)],
            label=method,
        )
    if "full fine-tuning" in table.index:
        each = table.loc["full fine-tuning"] / table.columns / 1e9
        ax.axhline(
            2 * each.iloc[0], color="black", lw=1, ls=":", label="twice the model"
        )
    ax.set(xscale="log", yscale="log", title=title)
    ax.set_xlabel("customers (log scale)")
    ax.set_ylabel("GB on disk, the model included (log scale)")
    ax.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))
    return fig
