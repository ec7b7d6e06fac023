"""Virtual tokens among the words: lengths and neighbours."""

import pytest
import torch
from figure_tools import axes, drawn

import ptlearn as pt
from ptlearn import plots


def test_token_geometry_compares_with_words_and_lengths():
    lm = pt.load_lm("tiny")
    words = ["capital", "country"]
    ids = [
        lm.tokenizer(" " + w, add_special_tokens=False)["input_ids"][0] for w in words
    ]
    table = torch.stack([lm.embed(torch.tensor(i)) for i in ids]) * 2
    fig = drawn(plots.token_geometry(table, lm, words))
    lengths, cosines = axes(fig)
    values = [float(t.get_text()) for t in cosines.texts]
    assert values[0] == values[3] == 1.0 and abs(values[1]) < 0.9
    assert len(lengths.lines) == 2
    assert lengths.lines[0].get_xdata()[0] == pytest.approx(table[0].norm().item())


def test_token_geometry_finds_the_nearest_token():
    lm = pt.load_lm("tiny")
    table = pt.PromptTuner(
        lm, '[V:"capital city"] {subject} {answer}'
    ).prompt_embeddings()
    _, cosines = axes(drawn(plots.token_geometry(table, lm)))
    texts = [t.get_text() for t in cosines.texts]
    assert texts[0] == "capital\n1.00" and texts[3] == "city\n1.00"


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_token_geometry_stands_zeros_and_gaps(value):
    lm = pt.load_lm("tiny")
    drawn(plots.token_geometry(torch.full((1, lm.token_dim), value), lm, ["city"]))
    drawn(plots.token_geometry(torch.full((2, lm.token_dim), value), lm))
