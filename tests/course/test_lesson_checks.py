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
        ("{subject} or perhaps {answer}", "not right yet. P@1 of yours is "),
    ],
)
def test_a_wording_of_ones_own_must_reach_a_given_one(
    wording, verdict, embedded_lm, capsys
):
    given = ["{subject} {answer}", "{subject} is located in the country of {answer}"]
    exercises.ex00_2(wording, given, embedded_lm, pt.load_task("city_country"))
    rival, own, said = capsys.readouterr().out.splitlines()
    assert rival.startswith("wording 1: Report(dev, n=40")
    assert own.startswith("yours:     Report(dev, n=40")
    assert said.startswith(f"Exercise 00.2: {verdict}")
