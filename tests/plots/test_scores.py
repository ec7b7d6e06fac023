"""Figures about scores: the curves of interval rules, and all wordings by task."""

import numpy as np
import pandas as pd
from figure_tools import axes, drawn, lines_with_points

from ptlearn import plots


def curves():
    frame = {"Wald": [48.0, 90.0, 94.0], "Wilson": [97.0, 95.0, 94.0]}
    return pd.DataFrame(frame, index=[0.02, 0.2, 0.5])


def test_coverage_has_a_line_for_each_rule_and_names_the_promise():
    (ax,) = axes(drawn(plots.coverage_curves(curves())))
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["Wald", "Wilson", "promise: 95"]
    heights = [list(line.get_ydata()) for line in lines_with_points(ax)]
    assert [48.0, 90.0, 94.0] in heights and [95, 95] in heights
    assert len({line.get_linestyle() for line in lines_with_points(ax)[:2]}) == 2
    assert "true share" in ax.get_xlabel()


def wordings():
    lines = [
        ("capital", "P@1", 0.0),
        ("capital", "P@1", 0.0),
        ("capital", "P@1", 0.3),
        ("topic", "accuracy", 0.7),
        ("antonym", "P@1", 0.2),
    ]
    return pd.DataFrame(lines, columns=["task", "metric", "score"])


def test_every_wording_is_a_mark_on_the_line_of_its_task():
    (ax,) = axes(drawn(plots.scores_by_task(wordings())))
    tasks = [label.get_text() for label in ax.get_yticklabels()]
    assert tasks == ["topic", "capital", "antonym"]
    marks = np.concatenate([marks.get_offsets() for marks in ax.collections])
    found = {(round(x, 3), tasks[round(y)]) for x, y in marks}
    assert found == {(row.score, row.task) for row in wordings().itertuples()}
    assert len(marks) == 5
    assert (0.3, tasks.index("capital")) in {tuple(mark) for mark in marks}
    # Two wordings of one score do not hide each other.
    assert len({tuple(mark) for mark in marks}) == 5


def test_metrics_differ_in_marker_and_name():
    (ax,) = axes(drawn(plots.scores_by_task(wordings())))
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["P@1", "accuracy"]
    shapes = [tuple(m.get_paths()[0].vertices.ravel()) for m in ax.collections]
    assert len(set(shapes)) == 2
