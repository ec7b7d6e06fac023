"""The course in one figure: every comparison of the studies, with its intervals."""

import pandas as pd
from matplotlib.figure import Figure

from .style import COLOURS, LIGHT, MARKERS, in_style, new_figure, short


@in_style
def differences_by_study(
    judged: pd.DataFrame,
    *,
    smallest_effect: float = 0.05,
    title: str = "Which difference each comparison found",
) -> Figure:
    """Draw each comparison's difference, a mark for each study that was run.

    Parameters
    ----------
    judged : DataFrame
        A line for each comparison and study: ``contrast``, ``study``, ``difference``
        (NaN where it was not run), ``low90``, ``high90``, ``low`` and ``high``.
    smallest_effect : float
        Half the width of the band: differences inside it are too small to matter.

    Returns
    -------
    Figure
        Thick bars are 90 % intervals, thin ones 95 % intervals. To the right of the
        band the first arm of the comparison is ahead.
    """
    run = judged[judged["difference"].notna()]
    contrasts = list(dict.fromkeys(run["contrast"]))
    studies = list(dict.fromkeys(run["study"]))
    fig = new_figure(1.5 + (0.15 + 0.12 * len(studies)) * len(contrasts))
    ax = fig.subplots()
    ax.axvspan(-smallest_effect, smallest_effect, color=LIGHT, alpha=0.35, lw=0)
    ax.axvline(0, color="black", linestyle="--", lw=1)
    for number, (study, lines) in enumerate(run.groupby("study", sort=False)):
        colour = COLOURS[number % len(COLOURS)]
        shift = 0.6 * ((number + 0.5) / len(studies) - 0.5)
        places = lines["contrast"].map(contrasts.index) + shift
        ax.hlines(places, lines["low"], lines["high"], color=colour, lw=1.2)
        ax.hlines(places, lines["low90"], lines["high90"], color=colour, lw=4)
        ax.plot(
            lines["difference"],
            places,
            MARKERS[number % len(MARKERS)],
            color=colour,
            mec="black",
            ms=6,
            label=study,
        )
    ax.set_yticks(range(len(contrasts)), [short(name, 40) for name in contrasts])
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    if studies:
        fig.legend(fontsize="small", loc="outside lower center", ncols=len(studies))
    ax.set(xlabel="difference in score (band: too small to matter)", title=title)
    return fig
