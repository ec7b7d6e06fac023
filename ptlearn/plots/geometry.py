"""Where virtual tokens lie among the words: lengths, neighbours, paths in training."""

from collections.abc import Mapping

import numpy as np
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import normalize

from .style import (
    COLOURS,
    HEIGHT,
    LINE_STYLES,
    MARKERS,
    in_style,
    new_panels,
    short,
    token,
)

SHOWN_WORDS = 2_000
"""So many words of the vocabulary make the cloud: more of them hide each other."""


@in_style
def token_geometry(
    table: Tensor,
    lm,
    words: list[str] | None = None,
    *,
    title: str = "",
) -> Figure:
    """Lengths of the virtual tokens, and their cosines to words.

    Parameters
    ----------
    table : Tensor, shape (num_virtual_tokens, token_dim)
        A prompt table, such as ``tuner.prompt_embeddings()``.
    lm : LanguageModel
        Its input embeddings are what the table is compared with.
    words : list of str, optional
        Words to compare with (a word of several tokens by their mean). None: the
        three nearest tokens of the whole vocabulary, for each virtual token.

    Returns
    -------
    Figure
        Left the norms against all tokens of the vocabulary, right the cosines.
    """
    table = table.detach().float().cpu()
    vocabulary = lm.model.get_input_embeddings().weight.detach().float().cpu()
    fig, (left, right) = new_panels(2, height=max(HEIGHT, 1.6 + 0.3 * len(table)))
    sns.histplot(
        vocabulary.norm(dim=1).numpy(),
        bins=60,
        stat="percent",
        color=COLOURS[7],
        ax=left,
        label="tokens of the vocabulary",
    )
    for i, norm in enumerate(table.norm(dim=1).tolist()):
        label = "virtual tokens" if i == 0 else None
        left.axvline(norm, color=COLOURS[3], linestyle="--", lw=1.2, label=label)
    fig.legend(fontsize="small", loc="outside lower left", ncols=2)
    left.set(xlabel="length (norm)", ylabel="% of the vocabulary", title="Lengths")
    values, labels, columns = _cosines(table, lm, vocabulary, words)
    sns.heatmap(
        values,
        annot=labels,
        fmt="",
        annot_kws={"fontsize": "x-small"},
        cmap="cividis",
        vmin=min(0.0, float(values.min())),
        vmax=max(0.5, float(values.max())),
        xticklabels=columns,
        yticklabels=[str(i) for i in range(len(table))],
        cbar_kws={"label": "cosine"},
        ax=right,
    )
    right.tick_params(axis="y", labelrotation=0)
    right.set(xlabel="", ylabel="virtual token", title="Direction")
    fig.suptitle(title)
    return fig


def _cosines(table, lm, vocabulary, words):
    """Cosines (tokens, columns), the text in each cell, and the columns' names."""
    table = normalize(table)
    if words is None:
        every = (table @ normalize(vocabulary).T).nan_to_num()
        values, ids = every.topk(3, dim=1)
        names = [[token(lm, i) for i in line] for line in ids.tolist()]
        columns = ["nearest", "second", "third"]
    else:
        ids = [
            lm.tokenizer(" " + word, add_special_tokens=False)["input_ids"]
            for word in words
        ]
        vectors = torch.stack([vocabulary[i].mean(dim=0) for i in ids])
        values = (table @ normalize(vectors).T).nan_to_num()
        names = [["" for _ in words] for _ in table]
        columns = [short(word, 14) for word in words]
    lines = zip(names, values.tolist(), strict=True)
    labels = [
        [f"{n}\n{v:.2f}".strip() for n, v in zip(*line, strict=True)] for line in lines
    ]
    return values.numpy(), np.array(labels), columns


@in_style
def token_paths(
    tables: Tensor,
    lm,
    planes: Mapping[str, Tensor],
    names: list[str] | None = None,
    *,
    title: str = "The paths of the virtual tokens in training",
) -> Figure:
    """Draw the paths of virtual tokens in training, in planes among the words.

    A plane shows two of ``token_dim`` directions. So each panel says what share of the
    squared length it shows: of the words around their mean, and of the virtual tokens'
    moves away from where they began.

    Parameters
    ----------
    tables : Tensor, shape (looks, num_virtual_tokens, token_dim)
        The prompt table before the first step and at some later ones, as a
        ``callback`` of ``fit`` can keep it.
    lm : LanguageModel
        Its input embeddings are the words.
    planes : mapping of str to Tensor, shape (token_dim, 2)
        A panel each, under this name: two orthonormal directions as columns.
    names : list of str, optional
        Of the virtual tokens, such as the words that they began at.

    Returns
    -------
    Figure
        A hollow marker is the beginning of a path, a full one its end. Both axes of a
        panel have one scale; zero is the words' mean.
    """
    tables = tables.detach().float().cpu()
    vocabulary = lm.model.get_input_embeddings().weight.detach().float().cpu()
    middle = vocabulary.mean(dim=0)
    # Drawn from a seed: the same words in every panel and in every figure.
    drawn = torch.randperm(len(vocabulary), generator=torch.Generator().manual_seed(0))
    cloud = vocabulary[drawn[:SHOWN_WORDS]] - middle
    fig, panels = new_panels(len(planes), height=1.2 * HEIGHT)
    for ax, (name, plane) in zip(panels, planes.items(), strict=True):
        plane = plane.detach().float().cpu()
        words = 100 * _share(vocabulary - middle, plane)
        moves = 100 * _share(tables - tables[0], plane)
        ax.plot(*(cloud @ plane).T, ".", color=COLOURS[7], ms=2, label="words")
        _paths(ax, (tables - middle) @ plane, names)
        ax.set_aspect("equal", adjustable="datalim")
        shares = f"{words:.1f} % of the words, {moves:.1f} % of the moves"
        ax.set_title(f"{name}\n{shares}")
    lines, labels = panels[0].get_legend_handles_labels()
    fig.legend(
        lines, labels, loc="outside lower center", ncols=len(labels), fontsize="small"
    )
    fig.suptitle(title)
    return fig


def _share(points: Tensor, plane: Tensor) -> float:
    """Return the share of the points' squared length that lies in a plane."""
    whole = points.square().sum()
    return ((points @ plane).square().sum() / whole).item() if whole else 0.0


def _paths(ax: Axes, tables: Tensor, names: list[str] | None) -> None:
    """Draw paths of shape (looks, num_virtual_tokens, 2)."""
    for i, path in enumerate(tables.unbind(dim=1)):
        style = {
            "color": COLOURS[i % 7],  # the eighth is the words'
            "linestyle": LINE_STYLES[i % 4],
            "marker": MARKERS[i % len(MARKERS)],
        }
        label = f"{i}" if names is None else short(f"{i}: {names[i]}", 16)
        ax.plot(*path.T, **style, lw=1.3, ms=6, markevery=[len(path) - 1], label=label)
        ax.plot(*path[:1].T, **style | {"markerfacecolor": "white"}, ms=6)
