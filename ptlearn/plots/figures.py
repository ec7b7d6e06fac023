"""The lessons' own figures: runs, wordings, seeds, rates."""

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..training.history import History
from .style import (
    COLOURS,
    HEIGHT,
    LIGHT,
    MARKERS,
    dashes,
    from_zero,
    in_style,
    new_figure,
    new_panels,
    over_seeds,
    palette,
    say,
    score_label,
    short,
)

Histories = History | Mapping[str, Any]


@in_style
def training_curves(histories: Histories, *, title: str = "") -> Figure:
    """Draw loss (left) and dev score (right) by step.

    Parameters
    ----------
    histories : History, or {label: History or list of History}
        What ``fit`` returned. Several under one label are seeds: their mean is drawn,
        and a band from the lowest of them to the highest.
    title : str
        Above both panels.

    Returns
    -------
    Figure
        The loss is the mean of the last ten steps, since single batches jump.
    """
    frame = _curves_frame(histories)
    fig, (left, right) = new_panels(2)
    labels = list(dict.fromkeys(frame["label"]))
    common = {
        "data": frame,
        "x": "step",
        "hue": "label",
        "style": "label",
        "hue_order": labels,
        "style_order": labels,
        "palette": palette(len(labels)),
        "dashes": dashes(len(labels)),
        "errorbar": ("pi", 100),
    }
    sns.lineplot(y="loss", ax=left, legend=False, **common)
    left.set(xlabel="step", ylabel="loss (nats an example)", title="Training loss")
    legend = len(labels) > 1 and frame["dev_score"].notna().any()
    scored = common | {"data": frame[frame["dev_score"].notna()]}
    if len(scored["data"]):
        marks = [MARKERS[i % len(MARKERS)] for i in range(len(labels))]
        sns.lineplot(y="dev_score", ax=right, legend=legend, markers=marks, **scored)
        from_zero(right)
    else:
        say(right, "no dev rows were scored")
    right.set(xlabel="step", ylabel="score on dev rows", title="Dev score")
    if legend:
        right.legend(title="", fontsize="small")
    fig.suptitle(title)
    return fig


@in_style
def wording_bars(
    frame: pd.DataFrame,
    score: str = "p_at_1",
    *,
    controls: pd.DataFrame | None = None,
    title: str = "The same question in other words",
) -> Figure:
    """Draw a bar with its interval for each wording, best first.

    Parameters
    ----------
    frame : DataFrame
        Columns ``wording``, the score, ``low`` and ``high`` (ends of the interval).
    controls : DataFrame, optional
        What ``evaluation.controls`` returned; each is a line across the bars.

    Returns
    -------
    Figure
        As tall as its bars need.
    """
    frame = frame.sort_values(score, ascending=False, na_position="last")
    labels = [textwrap.fill(short(text, 160), 44) for text in frame["wording"]]
    lines = max([2, *(label.count("\n") + 1 for label in labels)])
    fig = new_figure(height=max(HEIGHT, 1.4 + 0.21 * lines * len(labels)))
    ax = fig.subplots()
    ends = (frame[score] - frame["low"], frame["high"] - frame[score])
    ax.barh(
        range(len(frame)),
        frame[score].fillna(0),
        xerr=[end.fillna(0).clip(lower=0) for end in ends],
        color=LIGHT,
        edgecolor="black",
        error_kw={"capsize": 3, "elinewidth": 1.2},
    )
    ax.set_yticks(range(len(frame)), labels, fontsize="small")
    ax.invert_yaxis()
    ax.set(xlabel=score_label(score), title=title)
    ax.grid(False, axis="y")
    if controls is not None:
        _control_lines(ax, controls, score)
    ax.set_xlim(0, max(0.1, ax.get_xlim()[1]))
    return fig


@in_style
def seeds_strip(
    frame: pd.DataFrame,
    x: str = "arm",
    y: str = "score",
    *,
    title: str = "One dot a seed",
) -> Figure:
    """Draw one dot a seed; mean and interval where there are three or more.

    Parameters
    ----------
    frame : DataFrame
        One line a run: the arm in column ``x``, its score in column ``y``.

    Returns
    -------
    Figure
        The interval is Student's 95 % interval of the mean over seeds.
        Arms stand side by side; many of them, or long names, one below the other.
    """
    frame = frame.assign(**{x: [short(str(name), 60) for name in frame[x]]})
    names = list(dict.fromkeys(frame[x]))
    lying = len(names) > 6 or max(map(len, names)) > 24
    fig = new_figure(max(HEIGHT, 1.2 + 0.36 * len(names)) if lying else HEIGHT)
    ax = fig.subplots()
    common = {"x": y, "y": x, "orient": "h"} if lying else {"x": x, "y": y}
    common |= {"order": names, "ax": ax}
    sns.stripplot(
        data=frame, color=COLOURS[0], size=6, alpha=0.7, jitter=0.12, **common
    )
    counts = frame.groupby(x)[y].transform("count")
    many = frame[counts >= 3]
    if len(many):
        sns.pointplot(
            data=many,
            color="black",
            marker="D",
            markersize=5,
            capsize=0.12,
            linestyle="none",
            err_kws={"linewidth": 1.5},
            errorbar=over_seeds,
            **common,
        )
    room = 34 if lying else max(15, 80 // len(names))
    labels = [textwrap.fill(name, room) for name in names]
    if lying:
        ax.set_yticks(range(len(names)), labels)
        ax.set(xlabel=score_label(y), ylabel="", title=title, xlim=(0, None))
    else:
        ax.set_xticks(range(len(names)), labels)
        ax.set(xlabel="", ylabel=score_label(y), title=title)
        from_zero(ax)
    return fig


@in_style
def lr_heatmap(
    frame: pd.DataFrame,
    score: str = "score",
    *,
    row: str | None = None,
    title: str = "Which learning rate suits which arm",
) -> Figure:
    """Draw the mean score by learning rate; the best rate of each line is named.

    Parameters
    ----------
    frame : DataFrame
        Columns ``lr``, the score, and ``arm`` or ``scale`` (or what ``row`` names).
        Several runs in one cell are averaged; a cell without a finite score is empty.
    """
    row = row or ("arm" if "arm" in frame else "scale")
    order = list(dict.fromkeys(frame[row]))
    table = frame.pivot_table(index=row, columns="lr", values=score, dropna=False)
    table = table.loc[order].sort_index(axis=1)
    fig = new_figure(height=max(HEIGHT, 1.4 + 0.5 * len(table)))
    ax = fig.subplots()
    sns.heatmap(
        table,
        annot=_best_marked(table.to_numpy(float)),
        fmt="",
        cmap="cividis",
        linewidths=0.5,
        cbar_kws={"label": score_label(score)},
        xticklabels=[f"{rate:g}" for rate in table.columns],
        yticklabels=[short(str(name), 30) for name in table.index],
        ax=ax,
    )
    ax.grid(False)
    ax.tick_params(axis="y", labelrotation=0)
    ax.set(xlabel="learning rate", ylabel="", title=title)
    return fig


def _curves_frame(histories) -> pd.DataFrame:
    """One line a step and run: columns of History.frame, ``label``, ``run``."""
    if not isinstance(histories, Mapping):
        histories = {"": histories}
    frames = []
    for label, runs in histories.items():
        runs = runs if isinstance(runs, list | tuple) else [runs]
        for i, run in enumerate(runs):
            frame = run.frame.assign(label=str(label), run=i)
            frame["loss"] = frame["loss"].rolling(10, min_periods=1).mean()
            frames.append(frame)
    whole = pd.concat(frames, ignore_index=True)
    columns = ["step", "loss", "dev_score"]
    return whole.assign(**{c: whole[c].astype(float) for c in columns})


def _best_marked(values: np.ndarray) -> np.ndarray:
    """Write the numbers as text, with "best" below the highest of each line."""
    texts = np.array([[f"{v:.2f}" for v in line] for line in values], dtype=object)
    for line, text in zip(values, texts, strict=True):
        if not np.isnan(line).all():
            text[np.nanargmax(line)] += "\nbest"
    return texts


def _control_lines(ax: Axes, controls: pd.DataFrame, score: str) -> None:
    column = score if score in controls else "accuracy"
    styles = [":", "--", "-.", (0, (5, 1))]
    for i, (name, value) in enumerate(controls[column].items()):
        style = styles[i % len(styles)]
        ax.axvline(value, color="black", linestyle=style, lw=1.5, label=str(name))
    # Below the axes: inside, it would hide the intervals of the lowest bars.
    ax.legend(
        title="controls",
        fontsize="small",
        title_fontsize="small",
        loc="upper center",
        bbox_to_anchor=(0.5, -0.8 / ax.figure.get_figheight()),
        ncols=len(styles),
    )
