"""The figure of all comparisons."""

import numpy as np
import pandas as pd
from figure_tools import axes, drawn

from ptlearn import plots


def judged(*lines):
    columns = ["contrast", "task", "difference"]
    frame = pd.DataFrame(lines, columns=columns)
    ends = {"low90": -0.02, "high90": 0.02, "low": -0.03, "high": 0.03}
    ends = {name: frame["difference"] + d for name, d in ends.items()}
    return frame.assign(planned=True, **ends)


def filled_marks(ax):
    marks = [line for line in ax.lines if line.get_marker() not in ("", "None")]
    return [mark for mark in marks if not mark.get_label().startswith("_")]


def test_a_mark_for_each_task_that_was_run():
    table = judged(
        ("LSTM against bare", "facts", 0.01),
        ("LSTM against bare", "reviews", -0.2),
        ("mixed against bare", "facts", 0.1),
        ("mixed against bare", "reviews", np.nan),
    )
    fig = drawn(plots.differences_by_task(table))
    (ax,) = axes(fig)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["LSTM against bare", "mixed against bare"]
    marks = filled_marks(ax)
    assert [list(line.get_xdata()) for line in marks] == [[0.01, 0.1], [-0.2]]
    assert len({line.get_marker() for line in marks}) == 2, "not by colour alone"
    (legend,) = fig.legends
    assert [t.get_text() for t in legend.get_texts()] == ["facts", "reviews"]


def test_lines_of_one_comparison_stand_apart_and_nearer_than_the_next():
    tasks = ["facts", "hypernyms", "reviews", "topics"]
    table = judged(
        *(("LSTM against bare", task, 0.0) for task in tasks),
        ("mixed against bare", "hypernyms", 0.0),
    )
    (ax,) = axes(drawn(plots.differences_by_task(table)))
    marks = filled_marks(ax)
    heights = sorted(float(y) for line in marks for y in line.get_ydata())
    steps = np.diff(heights)
    assert (steps[:3] == 1).all() and steps[3] > 1.5
    first, second = ax.get_yticks()
    assert first == np.mean(heights[:4]) and second == heights[4]


def test_nothing_run_is_an_empty_figure():
    drawn(plots.differences_by_task(judged(("a against b", "facts", np.nan))))


def test_comparisons_added_after_the_runs_are_hollow():
    table = judged(("a against b", "facts", 0.1), ("a against c", "facts", 0.2))
    table.loc[1, "planned"] = False
    fig = drawn(plots.differences_by_task(table))
    (ax,) = axes(fig)
    hollow = [m for m in ax.lines if m.get_markerfacecolor() == "white"]
    assert [list(mark.get_xdata()) for mark in hollow] == [[0.2]]
    names = [text.get_text() for text in fig.legends[0].get_texts()]
    assert names == ["facts", "added later"]
