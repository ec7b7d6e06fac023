"""Figures of stored studies."""

import numpy as np
import pandas as pd
import pytest
from figure_tools import axes, drawn, lines_with_points

from ptlearn import plots


def test_what_helped_has_an_arm_a_line_with_two_intervals():
    table = pd.DataFrame(
        {"difference": [0.1, 0.3], "low": [0.05, np.nan], "high": [0.2, np.nan]},
        index=["LSTM", "mixed"],
    ).assign(rows_low=-0.1, rows_high=0.4)
    fig = drawn(plots.what_helped(table))
    (ax,) = axes(fig)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["mixed", "LSTM"], "best first"
    over_seeds, over_rows = (
        [line[:, 0].tolist() for line in lines.get_segments() if len(line)]
        for lines in ax.collections
    )
    assert over_rows == [[-0.1, 0.4]] * 2
    assert [0.05, 0.2] in over_seeds
    (legend,) = fig.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "95 % interval over seeds",
        "95 % interval over test rows",
    ]


def test_what_helped_draws_no_interval_over_another():
    ends = {"low": 0.0, "high": 0.2, "rows_low": 0.0, "rows_high": 0.2}
    table = pd.DataFrame({"difference": 0.1} | ends, index=["a", "b", "c"])
    (ax,) = axes(drawn(plots.what_helped(table)))
    heights = [line[0, 1] for bars in ax.collections for line in bars.get_segments()]
    assert len(set(heights)) == 6
    # Each pair stands closer together than to the next arm.
    seeds, rows = np.sort(heights[:3]), np.sort(heights[3:])
    assert np.all(np.abs(seeds - rows) < 0.4)


def test_convergence_draws_final_runs_only():
    curve = [[10, 0.1], [20, 0.4]]
    lines = [
        {"arm": arm, "final": final, "error": "", "dev_curve": curve}
        for arm, final in [("a", True), ("a", True), ("b", True), ("a", False)]
    ]
    frame = pd.DataFrame(lines)
    (ax,) = axes(drawn(plots.convergence(frame)))
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]
    assert lines_with_points(ax)[0].get_ydata().tolist() == [0.1, 0.4]
    drawn(plots.convergence(frame.assign(final=False)))


def test_verdicts_are_written_beside_both_intervals_and_the_band():
    table = pd.DataFrame(
        {
            "difference": [0.01, 0.2],
            "low": [-0.03, 0.1],
            "high": [0.05, 0.3],
            "low90": [-0.02, 0.12],
            "high90": [0.04, 0.28],
            "verdict": ["equivalent", "better"],
        },
        index=["LSTM against bare", "words against none"],
    )
    (ax,) = axes(drawn(plots.verdicts(table, smallest_effect=0.07)))
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "LSTM against bare: equivalent",
        "words against none: better",
    ]
    wide, narrow = (
        [line[:, 0].tolist() for line in lines.get_segments()]
        for lines in ax.collections
        if hasattr(lines, "get_segments")
    )
    assert wide == [[-0.03, 0.05], [0.1, 0.3]]
    assert narrow == [[-0.02, 0.04], [0.12, 0.28]]
    (band,) = [patch for patch in ax.patches if patch.get_width() > 0]
    assert band.get_x() == -0.07 and band.get_width() == 0.14


def test_beside_baselines_puts_untrained_arms_below_and_lines_through_them():
    runs = [
        ("wording", None, 0.4),
        ("8 shown", None, 0.5),
        ("8 shown", None, 0.7),
        ("bare", 0.1, 0.6),
        ("bare", 0.1, 0.8),
    ]
    frame = pd.DataFrame(runs, columns=["arm", "lr", "score"])
    frame = frame.assign(final=True, metric="p_at_1")
    line = ("bare", 0.1, 0.0, False, "p_at_1")
    tried = pd.DataFrame([line], columns=frame.columns)
    other = frame[frame["arm"] != "8 shown"].assign(metric="accuracy")
    studies = {"facts": pd.concat([frame, tried]), "reviews": other}
    fig = drawn(plots.beside_baselines(studies, ["wording"]))
    left, right = axes(fig)
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == ["bare", "wording", "8 shown"]
    dots, means, baseline, edge = left.lines
    assert sorted(dots.get_xdata()) == [0.4, 0.5, 0.6, 0.7, 0.8], "final runs only"
    assert means.get_xdata() == pytest.approx([0.6, 0.7, 0.4])
    assert means.get_ydata() == pytest.approx([2, 0, 1])
    assert set(baseline.get_xdata()) == {0.4}
    assert set(edge.get_ydata()) == {0.5}
    assert [ax.get_title() for ax in (left, right)] == ["facts", "reviews"]
    assert left.get_xlabel() == "P@1 on test rows"
    assert right.get_xlabel() == "accuracy on test rows"
    (legend,) = fig.legends
    assert [text.get_text() for text in legend.get_texts()] == ["wording"]
