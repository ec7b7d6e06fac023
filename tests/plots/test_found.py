"""The figure of all comparisons."""

import numpy as np
import pandas as pd
from figure_tools import axes, drawn

from ptlearn import plots


def judged(*lines):
    columns = ["contrast", "study", "difference"]
    frame = pd.DataFrame(lines, columns=columns)
    ends = {"low90": -0.02, "high90": 0.02, "low": -0.03, "high": 0.03}
    return frame.assign(**{name: frame["difference"] + d for name, d in ends.items()})


def test_a_mark_for_each_study_that_was_run():
    table = judged(
        ("LSTM against bare", "facts", 0.01),
        ("LSTM against bare", "reviews", -0.2),
        ("mixed against bare", "facts", 0.1),
        ("mixed against bare", "reviews", np.nan),
    )
    fig = drawn(plots.differences_by_study(table))
    (ax,) = axes(fig)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["LSTM against bare", "mixed against bare"]
    marks = [line for line in ax.lines if line.get_marker() not in ("", "None")]
    assert [list(line.get_xdata()) for line in marks] == [[0.01, 0.1], [-0.2]]
    assert len({line.get_marker() for line in marks}) == 2, "not by colour alone"
    (legend,) = fig.legends
    assert [t.get_text() for t in legend.get_texts()] == ["facts", "reviews"]


def test_marks_of_one_comparison_do_not_hide_each_other():
    studies = ["facts", "hypernyms", "reviews", "topics"]
    table = judged(*(("LSTM against bare", study, 0.0) for study in studies))
    (ax,) = axes(drawn(plots.differences_by_study(table)))
    marks = [line for line in ax.lines if line.get_marker() not in ("", "None")]
    heights = sorted(float(line.get_ydata()[0]) for line in marks)
    assert np.diff(heights).min() > 0.1
    assert max(heights) - min(heights) < 0.9, "nearer to each other than to the next"


def test_nothing_run_is_an_empty_figure():
    drawn(plots.differences_by_study(judged(("a against b", "facts", np.nan))))
