"""The loss on lines between tables."""

import json
from dataclasses import replace

import pytest
import torch
from small_traces import BARE

from ptlearn.mechanisms.lines import Line, barrier, line_losses, run_line
from ptlearn.mechanisms.recording import run_trace
from ptlearn.mechanisms.traces import Surface


class Bowl:
    """A surface with one lowest table, at zero."""

    def dev_loss(self, table):
        return float(table.pow(2).sum())


class Ridge:
    """A surface with two lowest tables, at -1 and 1."""

    def dev_loss(self, table):
        return float((table.pow(2) - 1).pow(2).sum())


ONE = torch.ones(1, 1)


def test_a_bowl_has_no_barrier_and_a_ridge_has():
    assert barrier(line_losses(Bowl(), -ONE, 2 * ONE)) == 0
    losses = line_losses(Ridge(), -ONE, ONE, points=5)
    assert losses == [0, pytest.approx(0.5625), 1, pytest.approx(0.5625), 0]
    assert barrier(losses) == 1
    assert barrier([0.0, 2.0, 1.5]) == 0.5, "above the higher end"


def test_a_row_has_the_losses_of_both_ends():
    surface = Surface(BARE)
    first, second = torch.zeros_like(surface.words), surface.words
    line = Line("a", "b", points=3)
    row = run_line(line, BARE, first.tolist(), second.tolist())
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert row["key"] == line.key != Line("b", "a", points=3).key
    middle = surface.dev_loss((first + second) / 2)
    expected = [surface.dev_loss(first), middle, surface.dev_loss(second)]
    assert row["losses"] == pytest.approx(expected, rel=1e-5)
    assert row["distance"] == pytest.approx(second.pow(2).mean().sqrt().item())


def test_a_line_may_begin_where_its_trace_began():
    trace = replace(BARE, steps=1)
    first, last = run_trace(trace)["tables"]
    line = Line(trace.key, trace.key, "start", points=2)
    made_anew, given = (run_line(line, trace, f, last) for f in (None, first))
    assert made_anew["losses"] == given["losses"]
    assert made_anew["distance"] == given["distance"] > 0


def test_a_line_to_a_table_that_diverged_is_told():
    surface = Surface(BARE)
    broken = (surface.words * float("inf")).tolist()
    row = run_line(Line("a", "b", points=2), BARE, surface.words.tolist(), broken)
    assert row["error"] and row["losses"] == [] and row["barrier"] is None
