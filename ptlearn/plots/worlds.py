"""Figures of the invented world: what a prompt recalls, and what it only guesses."""

from collections.abc import Mapping

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import HEIGHT, MARKERS, dashes, in_style, new_panels, palette

FACTS = ("known", "hidden")


@in_style
def recall_and_guess(
    frame: pd.DataFrame, *, majority: Mapping[str, float] | None = None, title: str = ""
) -> Figure:
    """Draw P@1 on known and on hidden facts, a panel for each language model.

    Parameters
    ----------
    frame : DataFrame
        One line for each run and kind of facts: ``lm``, ``prompt``, ``facts`` ("known"
        or "hidden") and ``p_at_1``.
    majority : dict of str to float, optional
        What the commonest answer scores on each kind of facts; dotted lines.

    Returns
    -------
    Figure
        A small pale mark is one run, a large one the mean. There is no interval: a few
        runs of which one fails would have one that is wider than the axis.
    """
    models = list(dict.fromkeys(frame["lm"]))
    prompts = list(dict.fromkeys(frame["prompt"]))
    fig, panels = new_panels(len(models), max(HEIGHT, 1.6 + 0.45 * len(prompts)))
    for ax, model in zip(panels, models, strict=True):
        _marks(ax, frame[frame["lm"] == model], prompts)
        for i, facts in enumerate(FACTS if majority else ()):
            look = {"color": palette(2)[i], "ls": (":", "-.")[i], "lw": 1.3}
            name = f"commonest answer, {facts} facts"
            ax.axvline(majority[facts], label=name, **look)
        ax.set(title=model, xlabel="P@1", ylabel="", xlim=(-0.03, 1.03))
    for ax in panels[1:]:
        ax.set_yticklabels([])
    handles, labels = panels[0].get_legend_handles_labels()
    labels = [f"scored on {x} facts" if x in FACTS else x for x in labels]
    place = {"loc": "outside lower center", "ncols": 2}
    marks = "small mark: one run; large mark: mean of the runs"
    fig.legend(
        handles, labels, title=marks, title_fontsize="small", fontsize="small", **place
    )
    fig.suptitle(title)
    return fig


def _marks(ax: Axes, part: pd.DataFrame, prompts: list[str]) -> None:
    common = {
        **{"data": part, "x": "p_at_1", "y": "prompt", "hue": "facts"},
        **{"order": prompts, "hue_order": FACTS, "palette": palette(2), "ax": ax},
        "orient": "h",
    }
    sns.stripplot(**common, dodge=True, alpha=0.5, size=5, jitter=0, legend=False)
    sns.pointplot(
        **common,
        dodge=0.4,
        markers=list(MARKERS[: len(FACTS)]),
        linestyle="none",
        errorbar=None,
    )
    ax.get_legend().remove()


@in_style
def union_of_prompts(
    frame: pd.DataFrame, *, title: str = "Found by at least one prompt"
) -> Figure:
    """Draw the share of facts that at least one of the prompts so far finds.

    Parameters
    ----------
    frame : DataFrame
        Index: number of prompts. A column for each line, such as the union on known
        facts, or what the prompt that comes in finds alone.
    """
    fig, (ax,) = new_panels(1)
    sns.lineplot(
        frame,
        palette=palette(frame.shape[1]),
        dashes=dashes(frame.shape[1]),
        markers=list(MARKERS[: frame.shape[1]]),
        ax=ax,
    )
    ax.set(xlabel="prompts so far", ylabel="share of facts", title=title)
    ax.set(ylim=(0, 1.03), xticks=frame.index)
    handles, labels = ax.get_legend_handles_labels()
    ax.get_legend().remove()
    fig.legend(handles, labels, loc="outside lower center", ncols=2, fontsize="small")
    return fig
