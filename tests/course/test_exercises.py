"""An exercise's check speaks in every case and never raises."""

import numpy as np
import pandas as pd
import pytest
import torch

from ptlearn.course.expect import done, exercise, expect, require


@pytest.fixture
def said(capsys):
    """Check one value against another; give what was printed."""

    def run(got, want, tol=0.0):
        @exercise
        def ex07_2(value):
            expect("the value", value, want, tol=tol)

        assert ex07_2(got) is None
        return capsys.readouterr().out.removeprefix("Exercise 07.2: ").strip()

    return run


@pytest.mark.parametrize(
    ("got", "want", "tol"),
    [
        (3, 3, 0),
        (0.3333, 1 / 3, 1e-3),
        (torch.tensor(3), 3, 0),
        (np.float32(0.5), 0.5, 0),
        ("Paris", "Paris", 0),
        (True, True, 0),
        ([1, 2], [1, 2], 0),
        (torch.ones(2, 3, requires_grad=True), torch.ones(2, 3), 0),
        (torch.ones(2, dtype=torch.bfloat16), torch.ones(2), 0),
        ([1.0, 2.001], np.array([1.0, 2.0]), 0.01),
        (pd.Series([1, 2]), pd.Series([1, 2]), 0),
        (np.array(["a", "b"]), np.array(["a", "b"]), 0),
        (torch.tensor([True, False]), torch.tensor([True, False]), 0),
    ],
)
def test_a_right_value_passes(said, got, want, tol):
    assert said(got, want, tol) == "passes."


@pytest.mark.parametrize(
    ("got", "want", "words"),
    [
        (4, 3, "the value: got 4."),
        (float("nan"), 3.0, "the value: got nan."),
        (True, 1, "got True, wanted one number."),
        ("3", 3, "got '3', wanted one number."),
        (None, 3, "got None, wanted one number."),
        (torch.ones(2), 3, "got (2,) numbers, wanted one number."),
        ("paris", "Paris", "the value: got 'paris'."),
        (False, True, "the value: got False."),
        (None, True, "got None, wanted a value of type bool."),
        (torch.ones(2), torch.ones(3), "got shape (2,), wanted (3,)."),
        (torch.ones(2), torch.zeros(2), "the value: got [1., 1.]."),
        (np.array([np.nan, 1.0]), np.ones(2), "got [nan,  1.]."),
        (np.full(2, np.nan), np.ones(2), "got [nan, nan]."),
        (np.array(["a", "b"]), np.array(["a", "c"]), "got ['a', 'b']."),
        (torch.tensor([True]), torch.tensor([False]), "got [ True]."),
    ],
)
def test_a_wrong_value_is_shown_and_the_right_one_is_not(said, got, want, words):
    out = said(got, want)
    assert out.startswith("not right yet.")
    assert out.endswith(words)


def test_a_requirement_says_what_is_wrong(capsys):
    @exercise
    def ex01_3(low):
        require(low >= 0, f"{low} is below zero, and no share is.")

    ex01_3(-0.1)
    ex01_3(0.1)
    assert capsys.readouterr().out.splitlines() == [
        "Exercise 01.3: not right yet. -0.1 is below zero, and no share is.",
        "Exercise 01.3: passes.",
    ]


def test_a_stub_that_a_check_computes_with_is_not_done_yet(capsys):
    @exercise
    def ex01_3(function):
        require(done(function(3)) + 1 > 0, "too small")

    ex01_3(lambda number: ...)
    assert "not done yet" in capsys.readouterr().out


@pytest.mark.parametrize("stub", [..., [1, ...], (..., 2), {"a": ...}])
def test_a_stub_is_not_done_yet(said, stub):
    assert said(stub, 3).startswith("not done yet.")


def check_a_function(function):
    @exercise
    def ex01_1(function):
        expect("f(3)", function(3), 9)

    ex01_1(function)


def test_a_function_stub_is_not_done_yet(capsys):
    check_a_function(lambda number: ...)
    assert "not done yet" in capsys.readouterr().out


def test_a_learners_error_is_told_not_raised(capsys):
    check_a_function(lambda number: number / 0)
    out = capsys.readouterr().out
    assert "Exercise 01.1: stopped by ZeroDivisionError: division by zero" in out


def test_a_missing_return_is_seen(capsys):
    check_a_function(lambda number: None)
    assert "f(3): got None, wanted one number." in capsys.readouterr().out


def test_endless_recursion_leaves_the_kernel_alive(capsys):
    def again(number):
        return again(number)

    check_a_function(again)
    assert "stopped by RecursionError" in capsys.readouterr().out
