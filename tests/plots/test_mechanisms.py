"""Figures of what an encoder does."""

import numpy as np
import pandas as pd
import pytest
from figure_tools import axes, drawn, lines_with_points
from matplotlib.colors import to_hex
from small_traces import MadeUpTraces, run

from ptlearn import plots
from ptlearn.mechanisms.catalogue import experiments
from ptlearn.mechanisms.tables import mechanism_summary, sgd_table


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Made-up rows of all experiments of the course, by name."""
    folder = tmp_path_factory.mktemp("made-up")
    return {name: run(e, folder, MadeUpTraces()) for name, e in experiments().items()}


def looks(ax):
    """Colour and marker of each line that the legend names."""
    handles, labels = ax.get_legend_handles_labels()
    return {
        label: (to_hex(handle.get_color()), handle.get_marker())
        for handle, label in zip(handles, labels, strict=True)
    }


@pytest.mark.slow
def test_an_arm_looks_the_same_in_all_figures(frames):
    arms = ["LSTM", "MLP", "bare", "residual MLP"]
    styles = plots.arm_styles(arms)
    wanted = {a: (to_hex(styles["palette"][a]), styles["markers"][a]) for a in arms}
    assert len(set(wanted.values())) == len(arms)
    lines = [
        {"arm": arm, "lr": 0.1, "error": "", "moves": [0.1], "dev_losses": [[0, 1.0]]}
        for arm in arms[::-1]
    ]
    scored = [
        {"arm": arm, "final": True, "error": "", "dev_curve": [[1, 0.5], [2, 0.6]]}
        for arm in arms[1:]
    ]
    rates, *_ = axes(drawn(plots.rate_and_move(pd.DataFrame(lines))))
    (steps,) = axes(drawn(plots.convergence(pd.DataFrame(scored))))
    (curves,) = axes(drawn(plots.loss_curves(frames["coupling"], arms)))
    _, seeds, _ = axes(drawn(plots.barriers(frames["surface"])))
    for ax in (rates, steps, curves, seeds):
        found = looks(ax)
        assert len(found) >= 3
        assert all(found[arm] == wanted[arm] for arm in arms if arm in found)


def test_arms_without_a_look_of_their_own_take_what_is_left():
    styles = plots.arm_styles(["new", "bare", "newer"])
    for looks in styles["palette"], styles["markers"]:
        assert len(set(looks.values())) == 3
    assert styles["palette"]["bare"] == plots.arm_styles(["bare"])["palette"]["bare"]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_rate_and_move_draws_one_curve_over_the_rate_and_one_over_the_move():
    lines = [
        {
            "arm": arm,
            "lr": lr,
            "error": "",
            "moves": [0.0] * 10 + [lr * times] * 10,
            "dev_losses": d,
        }
        for arm, times in (("bare", 1), ("MLP", 100))
        for lr in (0.001, 0.01)
        for d in ([[0, 9.0], [20, 2.0], [40, 3.0]], [[0, 9.0], [20, 4.0]])
    ]
    lines.append({"arm": "wording", "lr": np.nan, "error": "", "dev_losses": []})
    left, right = axes(drawn(plots.rate_and_move(pd.DataFrame(lines))))
    for ax, scale in ((left, 1), (right, 100)):
        curves = [x for x in lines_with_points(ax) if x.get_linestyle() != "None"]
        bare, mlp = (curve.get_xydata().tolist() for curve in curves)
        # The mean over runs of each one's lowest loss.
        assert np.allclose(bare, [[0.001, 3], [0.01, 3]])
        assert np.allclose(mlp, [[0.001 * scale, 3], [0.01 * scale, 3]])
        assert ax.get_xscale() == "log"
    drawn(plots.rate_and_move(pd.DataFrame(lines).iloc[:0]))


def test_rate_and_move_leaves_out_what_diverged():
    frame = pd.DataFrame(
        {
            "arm": "bare",
            "lr": [0.1, 1],
            "error": ["", "diverged"],
            "moves": [[0.1], [0.1, 9.0]],
            "dev_losses": [[[0, 1.5]], [[0, 1.4]]],
        }
    )
    left, _ = axes(drawn(plots.rate_and_move(frame)))
    assert all(len(line.get_xdata()) == 1 for line in lines_with_points(left))


@pytest.mark.slow
def test_grafts_have_every_direction_with_every_length(frames):
    frame = frames["step_or_direction"]
    panels = axes(drawn(plots.grafts(frame)))
    assert [len(texts(ax)) for ax in panels] == [6, 6]
    means = mechanism_summary(frame)["dev_loss"]
    shown = [text.split("\n")[0] for text in texts(panels[1])]
    wanted = [
        "bare from LSTM's output, LSTM's rate",
        "bare from LSTM's output",
        "bare's direction, LSTM's length",
        "LSTM's direction, bare's length, LSTM's rate",
        "LSTM's direction, bare's length",
        "LSTM, Adam",
    ]
    assert shown == [f"{means[arm]:.2f}" for arm in wanted]
    last = frame[frame["arm"] == "LSTM, Adam"]["dev_losses"]
    ends = [curve[-1][1] for curve in last]
    assert texts(panels[1])[-1].endswith(f"[{min(ends):.2f}, {max(ends):.2f}]")
    drawn(plots.grafts(frame[frame["arm"] == "MLP, Adam"]))
    drawn(plots.grafts(frame.iloc[:0]))


def test_sgd_and_adam_are_compared_after_the_same_steps(frames):
    frame = frames["step_or_direction"]
    table = sgd_table(frame)
    assert set(table["step"]) == {120}
    assert table.groupby("optimizer").size().to_dict() == {"adam": 4, "sgd": 12}
    adam = frame[frame["arm"] == "LSTM, Adam"]
    at_120 = [dict(map(tuple, curve))[120] for curve in adam["dev_losses"]]
    line = table[(table["encoder"] == "LSTM") & (table["optimizer"] == "adam")]
    assert line["dev_loss"].item() == pytest.approx(np.mean(at_120))
    (ax,) = axes(drawn(plots.sgd_and_adam(frame)))
    names = {text.get_text() for text in ax.get_legend().get_texts()}
    assert names == {"bare", "linear", "MLP", "LSTM", "Adam"}
    drawn(plots.sgd_and_adam(frame.iloc[:0]))


def test_coupling_has_a_map_for_each_arm_and_step(frames):
    fig = drawn(plots.coupling(frames["coupling"]))
    titles = [ax.get_title() for ax in axes(fig)]
    assert len(titles) == 7 * 3
    assert titles[:3] == ["step 1: 0.00", "step 20: 0.00", "step 200: 0.00"]
    assert axes(fig)[0].get_ylabel() == "bare"
    drawn(plots.coupling(frames["coupling"].iloc[:0]))


def test_lengths_has_a_line_for_each_arm(frames):
    frame = frames["lengths"]
    left, right = axes(drawn(plots.lengths(frame)))
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == list(dict.fromkeys(frame["arm"]))
    table = mechanism_summary(frame)
    points = [line.get_xdata()[0] for line in right.lines]
    assert points == pytest.approx(table["dev_loss"].tolist())
    starts = [line.get_xdata()[0] for line in left.lines[::3]]
    assert starts == pytest.approx(table["start_length"].tolist())
    drawn(plots.lengths(frame.iloc[:0]))


def test_switches_are_marked_in_the_panel_of_how_a_run_began(frames):
    above, below = axes(drawn(plots.switches(frames["speed_or_optimum"])))
    for ax, number in ((above, 4), (below, 3)):
        marks = [x for x in ax.lines if x.get_linestyle() == ":" and is_upright(x)]
        assert len(marks) == number
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert names[0] == "bare" and len(names) == (7 if ax is above else 4)
    drawn(plots.switches(frames["speed_or_optimum"].iloc[:0]))


def is_upright(line) -> bool:
    return len(set(line.get_xdata())) == 1 and list(line.get_ydata()) == [0, 1]


def test_loss_curves_draws_the_arms_that_are_named(frames):
    arms = ["LSTM, Adam", "bare, Adam"]
    (ax,) = axes(drawn(plots.loss_curves(frames["step_or_direction"], arms)))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == arms
    drawn(plots.loss_curves(frames["coupling"].iloc[:0]))


@pytest.mark.slow
def test_barriers_draws_each_line_and_the_mean_of_its_kind(frames):
    frame = frames["surface"]
    own, seeds, arms = axes(drawn(plots.barriers(frame)))
    for ax, kinds, pairs in ((own, 5, 3), (seeds, 5, 3), (arms, 10, 3)):
        assert len(ax.lines) == kinds * (pairs + 1)
        thick = [line for line in ax.lines if line.get_linewidth() > 1]
        assert len(thick) == kinds == len(ax.get_legend().get_texts())
    only_seeds = frame[frame["arm"].astype(str).str.endswith(", two seeds")]
    (panel,) = axes(drawn(plots.barriers(only_seeds)))
    assert panel.get_title() == "two seeds of an arm"
    chosen = frame[frame["arm"] == "bare, two seeds"]["losses"].tolist()
    mean = next(line for line in seeds.lines if line.get_label() == "bare")
    assert mean.get_ydata().tolist() == pytest.approx(np.mean(chosen, axis=0).tolist())
    drawn(plots.barriers(frame.iloc[:0]))
