"""Figures of the invented world: what a prompt recalls, and what it only guesses."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import HEIGHT, MARKERS, dashes, in_style, new_panels, over_seeds, palette

FACTS = ("known", "hidden")


@in_style
def recall_and_guess(
    frame: pd.DataFrame, *, majority: float | None = None, title: str = ""
) -> Figure:
    """Draw P@1 on known and on hidden facts, a panel for each language model.

    Parameters
    ----------
    frame : DataFrame
        One line for each run and kind of facts: ``lm``, ``prompt``, ``facts`` ("known"
        or "hidden") and ``p_at_1``.
    majority : float, optional
        What the commonest answer scores on hidden facts; a dotted line.

    Returns
    -------
    Figure
        A pale mark is one run; a strong one the mean, with Student's 95 % interval over
        runs where there are two or more.
    """
    models = list(dict.fromkeys(frame["lm"]))
    prompts = list(dict.fromkeys(frame["prompt"]))
    fig, panels = new_panels(len(models), max(HEIGHT, 1.6 + 0.45 * len(prompts)))
    for ax, name in zip(panels, models, strict=True):
        _marks(ax, frame[frame["lm"] == name], prompts)
        if majority is not None:
            ax.axvline(majority, color="black", linestyle=":", label="commonest answer")
        ax.set(title=name, xlabel="P@1", ylabel="", xlim=(-0.03, 1.03))
    for ax in panels[1:]:
        ax.set_yticklabels([])
    handles, labels = panels[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small")
    fig.suptitle(title)
    return fig


def _marks(ax: Axes, part: pd.DataFrame, prompts: list[str]) -> None:
    common = {
        **{"data": part, "x": "p_at_1", "y": "prompt", "hue": "facts"},
        **{"order": prompts, "hue_order": FACTS, "palette": palette(2), "ax": ax},
        "orient": "h",
    }
    sns.stripplot(**common, dodge=True, alpha=0.35, size=5, jitter=0, legend=False)
    sns.pointplot(
        **common,
        dodge=0.4,
        markers=list(MARKERS[: len(FACTS)]),
        linestyle="none",
        errorbar=over_seeds,
        err_kws={"linewidth": 1.5},
        capsize=0.1,
    )
    ax.get_legend().remove()


@in_style
def union_of_prompts(
    frame: pd.DataFrame, *, title: str = "Found by at least one prompt"
) -> Figure:
    """Draw the share of facts that at least one of the first prompts finds.

    Parameters
    ----------
    frame : DataFrame
        Index: number of prompts. Columns "known" and "hidden", and others if there are,
        such as what answering at random would find.
    """
    fig, (ax,) = new_panels(1)
    sns.lineplot(
        frame,
        palette=palette(frame.shape[1]),
        dashes=dashes(frame.shape[1]),
        markers=list(MARKERS[: frame.shape[1]]),
        ax=ax,
    )
    ax.set(xlabel="number of prompts", ylabel="share of facts", title=title)
    ax.set(ylim=(0, 1.03), xticks=frame.index)
    ax.legend(title="", fontsize="small")
    return fig
