"""Where the answer's place looks: attention by layer and place, and its mean."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from ..errors import DataError
from .style import COLOURS, HEIGHT, LIGHT, in_style, label_of, new_figure

FILLS = (LIGHT, COLOURS[0], COLOURS[1])
HATCHES = ("", "//", "..")


@in_style
def attention_maps(
    frames: Mapping[str, pd.DataFrame],
    *,
    title: str = "Attention from the answer's place",
) -> Figure:
    """Draw how much the answer's place reads of each place, in each layer.

    Parameters
    ----------
    frames : {label: DataFrame}
        What ``pt.evaluation.answer_attention`` returned for one row under prompts of
        one template, such as before and after training; at most three.

    Returns
    -------
    Figure
        Above, a map for each label: the mean over heads, by layer and place. Below,
        the mean over heads and layers as bars. Virtual tokens are in bold. The colours
        follow the square root of the weight, since most weights are small.

    Raises
    ------
    DataError
        If the frames have other tokens, or there are none, or more than three.
    """
    tokens = _common_tokens(frames)
    fig = new_figure(height=2.1 * HEIGHT)
    upper, lower = fig.subfigures(2, 1, height_ratios=[3, 2])
    maps = upper.subplots(1, len(frames), squeeze=False, sharey=True)[0]
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    for ax, (label, frame) in zip(maps, frames.items(), strict=True):
        by_layer = frame.pivot_table(index="layer", columns="place", values="weight")
        # Without a colour bar of its own: all maps have one scale, beside the last.
        image = ax.pcolormesh(by_layer, norm=norm, cmap="cividis")
        _name_places(ax, tokens, np.arange(len(tokens)) + 0.5)
        ax.grid(False)
        ax.set(title=label)
    maps[0].set(ylabel="layer, the first at the bottom")
    upper.colorbar(image, ax=maps, label="weight (mean over heads)")
    _bars(lower.subplots(), frames, tokens)
    fig.suptitle(title)
    return fig


def _common_tokens(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the tokens of all frames: index place, columns token and virtual."""
    if not 1 <= len(frames) <= len(FILLS):
        raise DataError(f"one to {len(FILLS)} frames can be drawn, not {len(frames)}")
    found = {
        label: frame.groupby("place")[["token", "virtual"]].first()
        for label, frame in frames.items()
    }
    first, tokens = next(iter(found.items()))
    for label, other in found.items():
        if not other.equals(tokens):
            raise DataError(
                f"{label!r} has other tokens than {first!r}: compare prompts of one "
                f"template on one row. It has {other['token'].tolist()}, the first "
                f"{tokens['token'].tolist()}"
            )
    return tokens


def _name_places(ax: Axes, tokens: pd.DataFrame, at: np.ndarray) -> None:
    names = [f"{place} {label_of(text)}" for place, text in tokens["token"].items()]
    ax.set_xticks(at, names, rotation=90)
    for label, virtual in zip(ax.get_xticklabels(), tokens["virtual"], strict=True):
        label.set_fontweight("bold" if virtual else "normal")


def _bars(ax: Axes, frames: Mapping[str, pd.DataFrame], tokens: pd.DataFrame) -> None:
    width = 0.8 / len(frames)
    for i, (label, frame) in enumerate(frames.items()):
        mean = frame.groupby("place")["weight"].mean()
        ax.bar(
            mean.index + (i - (len(frames) - 1) / 2) * width,
            mean,
            width,
            label=label,
            color=FILLS[i],
            hatch=HATCHES[i],
            edgecolor="black",
        )
    _name_places(ax, tokens, np.arange(len(tokens)))
    ax.grid(False, axis="x")
    ax.legend(fontsize="small")
    ax.set(ylabel="mean weight, all layers")
