"""The lessons' own figures: what each draws from what it is given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figure_tools import axes, drawn, lines_with_points
from matplotlib.container import BarContainer

import ptlearn as pt
from ptlearn import plots


def test_no_two_lines_differ_by_colour_alone():
    plots.use_style()
    styles = list(plt.rcParams["axes.prop_cycle"])
    drawn = {(style["linestyle"], style["marker"]) for style in styles}
    assert len(drawn) == len(styles)


def history(seed=0, steps=30, every=10, scored=True):
    rng = np.random.default_rng(seed)
    records = [
        {
            "step": step,
            "loss": 5 - step / 10 + rng.normal(0, 0.1),
            "lr": 0.1,
            "grad_norm": 1.0,
            "seconds": step / 3,
            "dev_score": step / 100 if scored and step % every == 0 else None,
        }
        for step in range(1, steps + 1)
    ]
    return pt.History(records)


def test_training_curves_have_a_line_for_each_label():
    fig = drawn(plots.training_curves({"LSTM": history(1), "none": history(2)}))
    loss, dev = axes(fig)
    assert len(lines_with_points(loss)) == len(lines_with_points(dev)) == 2
    assert "loss" in loss.get_ylabel() and "nats" in loss.get_ylabel()
    assert loss.get_xlabel() == dev.get_xlabel() == "step"
    assert [t.get_text() for t in dev.get_legend().get_texts()] == ["LSTM", "none"]
    styles = {line.get_linestyle() for line in lines_with_points(loss)}
    assert len(styles) == 2, "colour alone tells the lines apart"


def test_training_curves_draw_the_scored_steps_and_start_at_zero():
    (_, dev) = axes(drawn(plots.training_curves(history())))
    assert lines_with_points(dev)[0].get_xdata().tolist() == [10, 20, 30]
    assert dev.get_ylim()[0] == 0
    assert dev.get_legend() is None


def band_widths(ax):
    """Width of the band around each mean, at each step."""
    (band,) = ax.collections
    if not band.get_paths():
        return np.array([])
    points = pd.DataFrame(band.get_paths()[0].vertices)
    ends = points.groupby(0)[1].agg(["min", "max"])
    return (ends["max"] - ends["min"]).to_numpy()


def test_training_curves_of_several_seeds_have_a_band():
    seeds = [history(i) for i in range(4)]
    (one, _), (four, _) = (
        axes(plots.training_curves({"arm": runs})) for runs in (seeds[:1], seeds)
    )
    assert not np.nanmax(band_widths(one), initial=0) > 0
    assert np.nanmin(band_widths(four)) > 0
    assert len(lines_with_points(four)) == 1


def test_training_curves_say_that_nothing_was_scored():
    (_, dev) = axes(drawn(plots.training_curves(history(scored=False))))
    assert dev.texts[0].get_text() == "no dev rows were scored"


def wordings(scores):
    frame = pd.DataFrame({"wording": [f"{{subject}} {i}" for i in range(len(scores))]})
    frame["p_at_1"] = scores
    return frame.assign(low=frame.p_at_1 - 0.05, high=frame.p_at_1 + 0.1)


def test_wording_bars_are_sorted_and_carry_their_intervals():
    fig = drawn(plots.wording_bars(wordings([0.2, 0.5, 0.1])))
    (ax,) = axes(fig)
    (bars,) = [c for c in ax.containers if isinstance(c, BarContainer)]
    assert [bar.get_width() for bar in bars] == [0.5, 0.2, 0.1]
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["{subject} 1", "{subject} 0", "{subject} 2"]
    ends = bars.errorbar.lines[2][0].get_segments()
    assert np.allclose(
        [end[:, 0] for end in ends], [[0.45, 0.6], [0.15, 0.3], [0.05, 0.2]]
    )
    assert "P@1" in ax.get_xlabel()


def test_wording_bars_draw_each_control_as_a_line():
    controls = pd.DataFrame({"accuracy": [0.1, 0.3]}, index=["majority", "naive Bayes"])
    fig = drawn(plots.wording_bars(wordings([0.2]), controls=controls))
    (ax,) = axes(fig)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["majority", "naive Bayes"]
    at = {line.get_label(): line.get_xdata()[0] for line in ax.lines}
    assert at["majority"] == 0.1 and at["naive Bayes"] == 0.3
    assert len({line.get_linestyle() for line in ax.lines if len(line.get_xdata())}) > 1


@pytest.mark.slow
def test_no_wording_of_a_task_is_cut_off():
    for task in map(pt.load_task, pt.task_names()):
        frame = wordings([0.1] * len(task.prompts)).assign(wording=task.prompts)
        (ax,) = axes(drawn(plots.wording_bars(frame)))
        labels = " ".join(label.get_text() for label in ax.get_yticklabels())
        assert labels.count("\u2026") == "".join(task.prompts).count("\u2026")


@pytest.mark.parametrize("scores", [[0.0, 0.0], [0.1, np.nan], [np.nan]])
def test_wording_bars_stand_zeros_and_gaps(scores):
    (ax,) = axes(drawn(plots.wording_bars(wordings(scores))))
    assert len(ax.patches) == len(scores)
    assert ax.get_xlim()[1] >= 0.1


def test_a_wording_with_a_dollar_sign_is_no_formula():
    frame = wordings([0.1, 0.2]).assign(wording=["$5 {x} $", "$\\frac {y}$"])
    drawn(plots.wording_bars(frame))


def seeds(counts, score=lambda i: 0.3 + i / 50):
    lines = [
        {"arm": arm, "score": score(i)} for arm, n in counts.items() for i in range(n)
    ]
    return pd.DataFrame(lines)


def test_seeds_strip_has_a_dot_a_seed_and_an_interval_from_three_on():
    fig = drawn(plots.seeds_strip(seeds({"five": 5, "two": 2})))
    (ax,) = axes(fig)
    assert [len(dots.get_offsets()) for dots in ax.collections] == [5, 2]
    bars = [line for line in ax.lines if line.get_linestyle() == "-"]
    heights = np.concatenate([line.get_ydata() for line in bars])
    middle = np.nanmean(heights)
    assert middle == pytest.approx(0.34) and np.nanmax(heights) > 0.35
    positions = np.concatenate([line.get_xdata() for line in bars])
    assert np.nanmax(positions) < 0.5, "two seeds have no interval"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["five", "two"]
    assert ax.get_ylim()[0] == 0


def test_seeds_strip_lies_down_for_many_arms():
    fig = drawn(plots.seeds_strip(seeds({f"arm {i}": 3 for i in range(9)})))
    (ax,) = axes(fig)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [f"arm {i}" for i in range(9)]
    assert ax.get_xlim()[0] == 0


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_seeds_strip_stands_zeros_and_gaps(value):
    drawn(plots.seeds_strip(seeds({"a": 5, "b": 1}, score=lambda i: value)))


def test_lr_heatmap_names_the_best_rate_of_each_arm():
    frame = pd.DataFrame(
        [("none", 0.1, 0.5), ("none", 0.01, 0.2), ("lstm", 0.1, 0.1)]
        + [("lstm", 0.01, 0.3), ("lstm", 0.01, 0.5)],
        columns=["arm", "lr", "score"],
    )
    (ax,) = axes(drawn(plots.lr_heatmap(frame)))
    assert [t.get_text() for t in ax.texts] == [
        "0.20",
        "0.50\nbest",
        "0.40\nbest",
        "0.10",
    ]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0.01", "0.1"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["none", "lstm"]


def test_lr_heatmap_leaves_a_diverged_cell_empty_and_takes_scales():
    frame = pd.DataFrame({"scale": [1, 1, 2, 2], "lr": [0.1, 1, 0.1, 1]})
    frame["score"] = [0.1, np.nan, np.nan, np.nan]
    (ax,) = axes(drawn(plots.lr_heatmap(frame)))
    assert [t.get_text() for t in ax.texts] == ["0.10\nbest"]


def test_figures_are_not_drawn_twice_by_a_notebook():
    plots.training_curves(history())
    assert plt.get_fignums() == []


def test_the_style_does_not_leak_out_of_a_figure():
    before = dict(plt.rcParams)
    plots.seeds_strip(seeds({"a": 5}))
    assert dict(plt.rcParams) == before
