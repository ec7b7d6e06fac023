"""The figure of what folding saves shows no saving that is not there."""

import pandas as pd
import pytest
from figure_tools import axes, drawn

from ptlearn import plots


@pytest.fixture
def panels():
    frame = pd.DataFrame(
        {
            "bytes": [33_103_872, 18_432],
            "language model": [420.0, 420.0],
            "encoder": [6.0, 0.0],
        },
        index=["with encoder", "folded"],
    )
    return axes(drawn(plots.fold_before_after(frame, lm_bytes=538_060_032)))


def test_times_stand_end_to_end_on_a_linear_axis_from_zero(panels):
    _, right = panels
    bars = [(bar.get_x(), bar.get_width()) for bar in right.patches]
    assert bars == [(0, 420), (0, 420), (420, 6), (420, 0)]
    assert right.get_xscale() == "linear"
    assert right.get_xlim()[0] == 0


def test_bytes_are_dots_in_sight_on_a_logarithmic_axis_with_the_model(panels):
    left, _ = panels
    dots, model = left.lines
    assert left.get_xscale() == "log"
    assert dots.get_linestyle() == "None"
    assert dots.get_xdata().tolist() == [33_103_872, 18_432]
    low, high = left.get_xlim()
    assert low < 18_432 and high > 538_060_032
    assert set(model.get_xdata()) == {538_060_032}
    said = {text.get_text().strip() for text in left.texts}
    assert said == {"33.1 MB", "18.4 kB", "language model, 538 MB"}


def test_states_are_named_from_top_to_bottom(panels):
    left, _ = panels
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == ["with encoder", "folded"]
    bottom, top = left.get_ylim()
    assert bottom > 1 and top < 0
