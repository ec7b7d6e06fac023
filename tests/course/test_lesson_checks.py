"""Checks that ask something of the embedded model, which the toy model cannot show.

All others are tried in their lessons, see test_notebooks.py.
"""

import pytest

import ptlearn as pt
from ptlearn.course import exercises


@pytest.mark.slow
@pytest.mark.embedded
@pytest.mark.parametrize(
    ("wording", "verdict"),
    [
        ("Paris, France\nTokyo, Japan\nCairo, Egypt\n{subject}, {answer}", "passes."),
        ("{subject} is in {answer}", "not right yet. The interval reaches down to"),
    ],
)
def test_a_wording_of_ones_own_must_beat_the_worst(
    wording, verdict, embedded_lm, capsys
):
    exercises.ex00_2(wording, embedded_lm, pt.load_task("city_country"))
    report, said = capsys.readouterr().out.splitlines()
    assert report.startswith("Report(test, n=40")
    assert said.startswith(f"Exercise 00.2: {verdict}")
