"""The LSTM unrolled: every number that it is given stands in its box."""

import pytest
from figure_tools import axes, drawn

from ptlearn import plots

TOKENS = [(1.0, 0.0), (0.0, 1.0)]
FORWARD = [(0.111, 0.222, 0.333), (-0.444, 0.555, -0.666)]
BACKWARD = [(0.121, 0.232, 0.343), (0.454, -0.565, 0.676)]
TABLE = [(1.25, 0.5), (0.0, -2.125)]


@pytest.fixture
def texts():
    (ax,) = axes(drawn(plots.unrolled_lstm(TOKENS, FORWARD, BACKWARD, TABLE)))
    return [text for text in ax.texts if text.get_text()]


def test_every_number_stands_in_the_column_of_its_token(texts):
    for i in range(2):
        column = " ".join(t.get_text() for t in texts if t.get_position()[0] == i)
        for number in (*FORWARD[i], *BACKWARD[i]):
            assert f"{number:+.3f}" in column
        assert f"$v_{i}$ = ({TOKENS[i][0]:.0f}, {TOKENS[i][1]:.0f})" in column
        assert f"$h_{i}$ = ({TABLE[i][0]:.3f}, {TABLE[i][1]:.3f})" in column


def test_it_is_read_from_below(texts):
    height = {t.get_text().split()[0]: t.get_position()[1] for t in texts}
    assert height["$v_0$"] < height["forward"] < height["backward"] < height["$h_0$"]


def test_the_states_are_carried_to_the_right_and_to_the_left():
    (ax,) = axes(drawn(plots.unrolled_lstm(TOKENS, FORWARD, BACKWARD, TABLE)))
    across = [
        (a.xyann[0], a.xy[0])
        for a in ax.texts
        if not a.get_text() and a.xyann[1] == a.xy[1]
    ]
    assert [end > start for start, end in across] == [True, False]
