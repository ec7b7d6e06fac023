"""Figures for rows of your own."""

import numpy as np
import pandas as pd

import ptlearn as pt


def test_a_sweep_has_a_line_for_each_template_and_a_level_for_a_wording():
    runs = pd.DataFrame(
        {
            "template": ["a"] * 3 + ["b"],
            "encoder": "none",
            "lr": [0.1, 0.1, 1.0, np.nan],
            "dev_loss": [1.0, 2.0, 3.0, 4.0],
        }
    )
    (ax,) = pt.plots.sweep_curves(runs).axes
    mean, points, level = ax.lines
    assert mean.get_ydata().tolist() == [1.5, 3.0] and len(points.get_ydata()) == 3
    assert set(level.get_ydata()) == {4.0}


def test_a_sweep_shows_the_loss_of_giving_each_class_the_same():
    runs = pd.DataFrame(
        {"template": "a", "encoder": "none", "lr": [0.1, 1.0], "dev_loss": [1.0, 2.0]}
    )
    (ax,) = pt.plots.sweep_curves(runs, ["a", "b", "a"]).axes
    assert set(ax.lines[-1].get_ydata()) == {np.log(2)}
    assert ax.get_yscale() == "log"


def test_a_run_stands_beside_the_entropy_of_the_labels():
    records = [{"step": i, "loss": 2.0 / i, "dev_loss": 1.0} for i in (1, 2)]
    history = pt.History(records, best_step=2)
    (ax,) = pt.plots.loss_beside_prior(history, ["a", "b"]).axes
    levels = {line.get_label(): line.get_ydata()[0] for line in ax.lines}
    assert levels["labels' shares alone"] == np.log(2)
    assert levels["train, a batch"] == 2.0
