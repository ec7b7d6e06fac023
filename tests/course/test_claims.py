"""A claim stops a notebook where it must hold, and only there."""

import numpy as np
import pytest

from ptlearn.course import claims
from ptlearn.errors import ClaimError


@pytest.fixture(autouse=True)
def no_model_yet(monkeypatch):
    monkeypatch.setattr(claims, "_model_name", None)


def test_a_claim_that_holds_is_printed(capsys):
    claims.check("two is more than one", 2 > 1)
    assert capsys.readouterr().out == "Claim holds: two is more than one\n"


@pytest.mark.parametrize("model", [None, "smollm2-135m"])
def test_a_false_claim_stops_the_embedded_model_and_plain_arithmetic(model):
    if model:
        claims.about(model)
    with pytest.raises(ClaimError, match="'one is more than two'"):
        claims.check("one is more than two", 1 > 2)


def test_a_false_claim_on_another_model_is_only_said(capsys):
    claims.about("tiny")
    claims.check("one is more than two", 1 > 2)
    out = capsys.readouterr().out
    assert out == "Claim does not hold here: one is more than two\n"


def test_a_claim_about_any_model_stops_every_model():
    claims.about("tiny")
    with pytest.raises(ClaimError):
        claims.check("the difference is 0.0", False, any_model=True)


def test_about_takes_a_language_model(capsys):
    class LanguageModel:
        name = "tiny"

    claims.about(LanguageModel())
    claims.check("never", False)
    assert "does not hold here" in capsys.readouterr().out


@pytest.mark.parametrize("holds", [0.7, 1, None, "yes", np.array([True, True])])
def test_what_is_no_boolean_is_refused(holds):
    with pytest.raises(TypeError, match="True or False"):
        claims.check("mixed beats manual", holds)


def test_numpy_booleans_are_booleans(capsys):
    claims.check("two is more than one", np.float64(2) > 1)
    assert "Claim holds" in capsys.readouterr().out


def test_printed_claims_can_be_counted(capsys):
    claims.about("tiny")
    claims.check("first", True)
    print("text that says Claim holds: in its middle")
    claims.check("second", False)
    claims.check("third", True)
    assert claims.count(capsys.readouterr().out) == (2, 3)
