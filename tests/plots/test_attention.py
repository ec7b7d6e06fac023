"""Attention from the answer's place: the maps and bars show the means they name."""

import numpy as np
import pandas as pd
import pytest
from figure_tools import axes, drawn
from matplotlib.colors import PowerNorm

from ptlearn import plots
from ptlearn.errors import DataError

TOKENS = ["h0", " City", "\n", "h1"]
LAYERS, HEADS = 3, 2


def attention(seed=0, tokens=TOKENS):
    """A frame as ``answer_attention`` returns it, with drawn weights."""
    shape = (LAYERS, HEADS, len(tokens))
    weights = np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), shape[:2])
    index = pd.MultiIndex.from_product(
        map(range, shape), names=["layer", "head", "place"]
    )
    frame = pd.DataFrame({"weight": weights.ravel()}, index=index).reset_index()
    frame["token"] = frame["place"].map(dict(enumerate(tokens)))
    return frame.assign(virtual=frame["token"].str.startswith("h")), weights


def test_a_map_holds_the_mean_over_heads_and_the_bars_that_over_layers_too():
    (before, first), (after, second) = attention(0), attention(1)
    figure = drawn(plots.attention_maps({"before": before, "after": after}))
    *maps, bars = axes(figure)
    assert [ax.get_title() for ax in maps] == ["before", "after"]
    for ax, weights in zip(maps, (first, second), strict=True):
        shown = ax.collections[0].get_array()
        assert np.allclose(shown.reshape(LAYERS, -1), weights.mean(axis=1))
    heights = [[bar.get_height() for bar in group] for group in bars.containers]
    assert np.allclose(heights, [w.mean(axis=(0, 1)) for w in (first, second)])
    assert len({group[0].get_hatch() for group in bars.containers}) == 2


@pytest.mark.slow
def test_all_maps_have_one_scale_from_zero_to_one():
    frames = {name: attention(seed)[0] for seed, name in enumerate("abc")}
    *maps, _ = axes(drawn(plots.attention_maps(frames)))
    norms = [ax.collections[0].norm for ax in maps]
    assert all(isinstance(norm, PowerNorm) for norm in norms)
    assert {(norm.vmin, norm.vmax) for norm in norms} == {(0, 1)}


def test_places_are_numbered_and_virtual_tokens_bold():
    for ax in axes(drawn(plots.attention_maps({"one": attention()[0]}))):
        labels = ax.get_xticklabels()
        assert [t.get_text() for t in labels] == ["0 h0", "1 City", r"2 \n", "3 h1"]
        assert [t.get_fontweight() for t in labels] == ["bold", *["normal"] * 2, "bold"]


def test_prompts_of_other_tokens_are_not_laid_side_by_side():
    other = attention(tokens=["h0", " Town", "\n", "h1"])[0]
    with pytest.raises(DataError, match="'after' has other tokens than 'before'"):
        plots.attention_maps({"before": attention()[0], "after": other})


@pytest.mark.parametrize("number", [0, 4])
def test_no_frames_or_too_many_are_refused(number):
    with pytest.raises(DataError, match=f"one to 3 frames .* not {number}"):
        plots.attention_maps({str(i): attention()[0] for i in range(number)})
