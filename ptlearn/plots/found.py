"""The course in one figure: every comparison of the studies, with its intervals."""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import COLOURS, LIGHT, MARKERS, in_style, new_figure, short

GAP = 0.9
"""Free lines between two comparisons."""
HOLLOW = {"marker": "o", "mfc": "white", "mec": "black", "ms": 6, "ls": "none"}


@in_style
def differences_by_task(
    judged: pd.DataFrame,
    *,
    smallest_effect: float = 0.05,
    title: str = "Which difference each comparison found",
) -> Figure:
    """Draw each comparison's difference, a line for each task that it was run on.

    Parameters
    ----------
    judged : DataFrame
        A line for each comparison and task: ``contrast``, ``task``, ``difference``
        (NaN where it was not run), ``low90``, ``high90``, ``low``, ``high`` and
        ``planned``; comparisons that were added after the runs have hollow marks.
    smallest_effect : float
        Half the width of the band: differences inside it are too small to matter.

    Returns
    -------
    Figure
        Thick bars are 90 % intervals, thin ones 95 % intervals. To the right of the
        band the first arm of the comparison is ahead.
    """
    run = judged[judged["difference"].notna()]
    run = run.assign(place=_places(run["contrast"]))
    fig = new_figure(1.6 + 0.19 * max(run["place"], default=0))
    ax = fig.subplots()
    ax.axvspan(-smallest_effect, smallest_effect, color=LIGHT, alpha=0.35, lw=0)
    ax.axvline(0, color="black", linestyle="--", lw=1)
    tasks = list(dict.fromkeys(run["task"]))
    for task, colour, marker in zip(
        tasks, cycle(COLOURS), cycle(MARKERS), strict=False
    ):
        lines = run[run["task"] == task]
        places, style = lines["place"], {"color": colour}
        ax.hlines(places, lines["low"], lines["high"], lw=1.2, **style)
        ax.hlines(places, lines["low90"], lines["high90"], lw=4, **style)
        style |= {"mec": "black", "ms": 6}
        ax.plot(lines["difference"], places, marker, label=task, **style)
        added = lines[~lines["planned"].astype(bool)]
        ax.plot(added["difference"], added["place"], marker, **style | {"mfc": "white"})
    middles = run.groupby("contrast", sort=False)["place"].mean()
    ax.set_yticks(middles, [short(name, 40) for name in middles.index])
    ax.invert_yaxis()
    ax.margins(y=0.02)
    ax.grid(False, axis="y")
    if tasks:
        handles, _ = ax.get_legend_handles_labels()
        if not run["planned"].all():
            handles.append(Line2D([], [], label="added later", **HOLLOW))
        place = {"loc": "outside lower center", "ncols": len(handles)}
        fig.legend(handles=handles, fontsize="small", **place)
    ax.set(xlabel="difference in score (band: too small to matter)", title=title)
    return fig


def _places(contrasts: pd.Series) -> list[float]:
    """Return a height for each line: comparisons in their order, with gaps between."""
    places, top = pd.Series(index=contrasts.index, dtype=float), 0.0
    for _, lines in contrasts.groupby(contrasts, sort=False):
        places[lines.index] = top + np.arange(len(lines))
        top += len(lines) + GAP
    return places.to_list()
