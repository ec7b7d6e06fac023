"""Figures of lesson 07: label words on dev and test, and draws."""

import numpy as np
import pandas as pd
from figure_tools import axes, drawn

from ptlearn import plots


def marks(line):
    x, y = line.get_data(orig=False)
    return list(zip(np.round(x, 3), y, strict=True))


def test_every_pair_of_words_is_a_dot_and_the_named_ones_stand_out():
    frame = pd.DataFrame({"dev": [0.5, 0.75, 0.9], "test": [0.6, 0.7, 0.7]})
    named = {"by hand": (0.75, 0.7), "by dev": (0.9, 0.7)}
    (ax,) = axes(drawn(plots.chosen_and_tested(frame, named, rows=32)))
    dots = ax.collections[0].get_offsets()
    assert dots.tolist() == frame[["dev", "test"]].to_numpy().tolist()
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["equal", "by hand", "by dev"]
    assert [marks(line) for line in ax.lines[1:]] == [[(0.75, 0.7)], [(0.9, 0.7)]]
    shapes = {line.get_marker() for line in ax.lines[1:]}
    assert len(shapes) == 2, "colour is not the only difference"
    assert "32 dev rows" in ax.get_xlabel()


def test_every_run_is_a_mark_in_the_column_of_its_draw():
    lines = [
        (d, f"start {s}", 0.6 + 0.1 * d + 0.01 * s) for d in (0, 1) for s in (0, 1)
    ]
    frame = pd.DataFrame(lines, columns=["seed", "arm", "score"])
    fig = plots.scores_by_draw(frame, {"wording": 0.8})
    (ax,) = axes(drawn(fig))
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert names == ["draw 0", "draw 1"]
    first, second, wording = ax.lines
    assert marks(first) == [(-0.2, 0.6), (0.8, 0.7)]
    assert [height for _, height in marks(second)] == [0.61, 0.71]
    assert set(wording.get_ydata()) == {0.8}
    assert first.get_marker() != second.get_marker()
    means = [round(path.vertices[0, 1], 3) for path in ax.collections[0].get_paths()]
    assert means == [0.605, 0.705]
    legend = [text.get_text() for text in fig.legends[0].get_texts()]
    assert legend == ["start 0", "start 1", "mean of a draw", "wording"]


def test_arms_stand_in_their_order_and_kinds_look_different():
    frame = pd.DataFrame(
        {
            "kind": ["tuned", "control", "tuned"],
            "accuracy": [0.6, 0.5, 0.4],
            "low": [0.5, 0.4, 0.3],
            "high": [0.75, 0.6, 0.5],
        },
        index=["long", "one sentence", "short"],
    )
    fig = plots.arms_and_controls(frame, guess=0.55)
    (ax,) = axes(drawn(fig))
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == list(frame.index)
    tuned, control = (bar.lines[0] for bar in ax.containers)
    assert marks(tuned) == [(0.6, 0), (0.4, 2)]
    assert marks(control) == [(0.5, 1)]
    assert tuned.get_marker() != control.get_marker()
    whisker = ax.containers[0].lines[2][0].get_segments()[0]
    assert whisker[:, 0].round(3).tolist() == [0.5, 0.75]
    legend = [text.get_text() for text in fig.legends[0].get_texts()]
    assert set(legend) == {"tuned", "control", "majority"}
