"""The figure of the clinic: what can be seen of prompts that do not learn."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..training.score_findings import yardsticks
from .style import COLOURS, LIGHT, in_style, new_figure, short

if TYPE_CHECKING:
    from ..course.clinic import Patient

TITLES = ("loss", "gradient norm", "tokens read", "predictions")
UNITS = ("nats", "norm", "dev rows", "dev rows")
SMALLEST = 1e-4
"""A gradient norm that is drawn at the foot of its panel; zero is a cross."""


@in_style
def symptoms(patients: "Mapping[str, Patient]") -> Figure:
    """Draw four panels for each patient: losses, gradients, lengths, predictions.

    Parameters
    ----------
    patients : dict of str to Patient
        From ``course.clinic.admit``, or some of them.

    Returns
    -------
    Figure
        A line of panels for each letter; losses and norms are logarithmic. The dotted
        line in the first is the loss of a model that knows the labels' shares alone. A
        cross marks a gradient of exactly zero.
    """
    fig = new_figure(height=0.5 + 1.45 * len(patients))
    grid = fig.subplots(len(patients), 4, squeeze=False)
    for axes, (letter, patient) in zip(grid, patients.items(), strict=True):
        _losses(axes[0], patient)
        _norms(axes[1], patient.gradient_norms)
        _lengths(axes[2], patient.lengths)
        _predictions(axes[3], patient)
        for ax, unit in zip(axes, UNITS, strict=True):
            ax.set_ylabel(unit, fontsize=8)
        axes[0].text(
            *(-0.62, 0.5),
            letter,
            transform=axes[0].transAxes,
            fontsize=14,
            fontweight="bold",
        )
    for ax, title in zip(grid[0], TITLES, strict=True):
        ax.set_title(title, fontsize=10)
    names = ("step", "virtual token", "tokens", "")
    for ax, name in zip(grid[-1], names, strict=True):
        ax.set_xlabel(name, fontsize=9)
    for ax in grid.flat:
        ax.tick_params(labelsize=7)
    lines = grid[0, 0].get_lines()
    fig.legend(handles=lines, loc="outside lower left", ncols=3, fontsize=8)
    return fig


def _losses(ax: Axes, patient: "Patient") -> None:
    frame = patient.history.frame
    dev = frame[frame["dev_loss"].notna()]
    ax.plot(frame["step"], frame["loss"], color=COLOURS[0], lw=1.2, label="train")
    ax.plot(dev["step"], dev["dev_loss"], "s--", color=COLOURS[1], ms=3, label="dev")
    prior = yardsticks(patient.labels)[1]
    ax.axhline(prior, color="black", ls=":", lw=1, label="labels' shares alone")
    ax.set(yscale="log", ylim=(0.05, 20))
    ax.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    ax.minorticks_off()


def _norms(ax: Axes, norms: list[float]) -> None:
    places = np.arange(len(norms))
    for place, norm in zip(places, norms, strict=True):
        if norm == 0:
            ax.plot(place, 2 * SMALLEST, "x", color="black", ms=7)
        else:
            ax.bar(place, norm, width=0.6, color=LIGHT, edgecolor="black")
    ax.set(yscale="log", ylim=(SMALLEST, 100), xticks=places)
    ax.set_yticks([1e-3, 1e-2, 1e-1, 1, 10], ["0.001", "0.01", "0.1", "1", "10"])
    ax.minorticks_off()
    ax.grid(False, axis="x")


def _lengths(ax: Axes, lengths: list[int]) -> None:
    ax.hist(lengths, bins=np.arange(0, 45, 3), color=LIGHT, edgecolor="black")
    ax.set_xlim(0, 45)


def _predictions(ax: Axes, patient: "Patient") -> None:
    right, predicted = Counter(patient.labels), Counter(patient.predicted)
    names = list(dict.fromkeys([*right, *patient.candidates]))
    places = np.arange(len(names))
    bars = ((right, -0.2, LIGHT, "label"), (predicted, 0.2, COLOURS[1], "predicted"))
    for counts, shift, colour, name in bars:
        heights = [counts[word] for word in names]
        ax.bar(
            places + shift, heights, 0.4, color=colour, edgecolor="black", label=name
        )
    # Two lines by turns, or four words would run into each other.
    low = "\n" if len(names) > 2 else ""
    labels = [low * (i % 2) + short(name, 9) for i, name in enumerate(names)]
    ax.set_xticks(places, labels)
    ax.grid(False, axis="x")
    ax.set_ylim(0, 1.45 * len(patient.labels))
    ax.legend(fontsize=6, loc="upper right", ncols=2, handlelength=1)
