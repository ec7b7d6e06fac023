"""A figure is shown once, with a sentence for those who cannot see it."""

import matplotlib.pyplot as plt
import pytest

from ptlearn import plots
from ptlearn.errors import CourseError

ALT = "A straight line that rises from zero to one."


@pytest.fixture
def shown(monkeypatch):
    """What was displayed, as IPython would get it."""
    images = []
    monkeypatch.setattr("ptlearn.plots.display.display", images.append)
    return images


def line():
    fig, ax = plt.subplots(figsize=(2, 1))
    ax.plot([0, 1], [0, 1])
    return fig


def test_show_keeps_the_alt_text_and_prints_it(shown, capsys):
    plots.show(line(), alt=ALT)
    png, metadata = shown[0]._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == ALT
    assert "image/png" in png
    assert capsys.readouterr().out == ALT + "\n"


def test_a_shown_figure_is_not_drawn_again(shown):
    fig = line()
    plots.show(fig, alt=ALT)
    assert not plt.fignum_exists(fig.number)


def test_the_same_figure_gives_the_same_bytes(shown):
    plots.show(line(), alt=ALT)
    plots.show(line(), alt=ALT)
    assert shown[0].data == shown[1].data


@pytest.mark.parametrize("alt", ["", "line", "loss", "A line without a full stop"])
def test_an_alt_text_that_is_no_sentence_is_refused(shown, alt):
    with pytest.raises(CourseError, match="not a full sentence"):
        plots.show(line(), alt=alt)
    assert shown == []
