"""Figures of the invented world: known and hidden facts, and unions of prompts."""

import numpy as np
import pandas as pd
import pytest
from figure_tools import axes, drawn, lines_with_points

from ptlearn import plots


def runs(seeds):
    lines = [
        (lm, prompt, facts, score + 0.01 * seed)
        for lm in ("causal", "masked")
        for prompt, known, hidden in (("bare", 0.9, 0.2), ("mixed", 0.8, 0.3))
        for facts, score in (("known", known), ("hidden", hidden))
        for seed in range(seeds)
    ]
    return pd.DataFrame(lines, columns=["lm", "prompt", "facts", "p_at_1"])


@pytest.mark.parametrize("seeds", [1, 3])
def test_every_run_is_a_mark_in_the_panel_of_its_model(seeds):
    fig = drawn(
        plots.recall_and_guess(runs(seeds), majority={"known": 0.3, "hidden": 0.25})
    )
    panels = axes(fig)
    assert [ax.get_title() for ax in panels] == ["causal", "masked"]
    for ax in panels:
        marks = np.concatenate([marks.get_offsets() for marks in ax.collections])
        own = runs(seeds).query(f"lm == {ax.get_title()!r}")
        assert sorted(marks[:, 0].round(3)) == sorted(own["p_at_1"].round(3))
    names = [text.get_text() for text in fig.legends[0].get_texts()]
    assert names == [
        "scored on known facts",
        "scored on hidden facts",
        "commonest answer, known facts",
        "commonest answer, hidden facts",
    ]


def test_a_union_has_a_line_for_each_kind_of_facts():
    frame = pd.DataFrame({"known": [0.5, 0.7], "hidden": [0.2, 0.3]}, index=[1, 2])
    (ax,) = axes(drawn(plots.union_of_prompts(frame)))
    heights = [list(line.get_ydata()) for line in lines_with_points(ax)]
    assert [0.5, 0.7] in heights and [0.2, 0.3] in heights
    assert len({line.get_marker() for line in lines_with_points(ax)[:2]}) == 2
