"""Where virtual tokens lie among the words: their lengths and their neighbours."""

import numpy as np
import seaborn as sns
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import normalize

from .style import COLOURS, HEIGHT, in_style, new_panels, short, token


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
    left.margins(y=0.35)
    left.legend(fontsize="small", loc="upper left")
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
        yticklabels=[str(i + 1) for i in range(len(table))],
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
