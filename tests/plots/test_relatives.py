"""The figures of the relatives show what is there, and what is not."""

import pytest
from figure_tools import axes, drawn
from small_relatives import STUDY, MadeUpTrials

from ptlearn import plots
from ptlearn.relatives.run import run_relatives
from ptlearn.relatives.tables import customers_table, relatives_summary
from ptlearn.relatives.trial import METHODS, SETTINGS

METRICS = {name: setting.metric for name, setting in SETTINGS.items()}


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    folder = tmp_path_factory.mktemp("relatives")
    frame = run_relatives(STUDY, folder, MadeUpTrials(), tell=lambda text: None)
    missing = (frame["arm"] == "LoRA") & (frame["seed"] > 1000)
    frame = frame[~missing & (frame["arm"] != "prefix tuning")]
    return relatives_summary(frame, STUDY).xs(8, level="rows")


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.slow
def test_incomplete_scores_are_open_and_say_how_many_runs(summary):
    left, right = axes(drawn(plots.relatives_quality(summary, METRICS)))
    assert texts(left) == ["not run yet", "1 of 3"]
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == list(METHODS)
    marks = [line for line in left.lines if line.get_marker() in ("o", "X")]
    is_open = [line.get_markerfacecolor() == "white" for line in marks]
    assert is_open.count(True) == 1
    # A probe's accuracy beside strict P@1 looks different; beside accuracy it does not.
    assert [line.get_marker() for line in marks].count("X") == 1
    assert all(line.get_marker() != "X" for line in right.lines)
    assert (left.get_xlabel(), right.get_xlabel()) == ("P@1", "accuracy")


def test_costs_are_dots_on_log_axes_and_bars_from_zero(summary):
    table = summary.loc["city_country"][["trained", "bytes", "peak_mb"]]
    numbers, sizes, memory = axes(drawn(plots.relatives_costs(table)))
    assert numbers.get_xscale() == sizes.get_xscale() == "log"
    assert memory.get_xscale() == "linear" and memory.get_xlim()[0] == 0
    assert "540 M" in texts(sizes)
    assert all("(log scale)" in ax.get_xlabel() for ax in (numbers, sizes))


def test_nothing_at_all_has_a_word_and_no_mark_on_a_log_axis(summary):
    table = summary.loc["city_country"][["trained", "bytes"]]
    numbers, _ = axes(drawn(plots.relatives_costs(table)))
    nothing = (table["trained"] == 0).sum()
    known = table["trained"].notna().sum()
    assert nothing and texts(numbers).count("none") == nothing
    assert len(numbers.lines) == known - nothing
    (free,) = axes(drawn(plots.relatives_costs(table[["trained"]] * 0)))
    assert texts(free).count("none") == known and not free.lines


def test_memory_that_the_wording_needs_too_is_light(summary):
    table = summary.loc["city_country"][["peak_mb"]].copy()
    table.loc["best wording"], table.loc["full fine-tuning"] = 1000.0, 3000.0
    (ax,) = axes(drawn(plots.relatives_costs(table)))
    whole, light = (bars.patches for bars in ax.containers)
    place = list(table.index).index("full fine-tuning")
    assert (whole[place].get_width(), light[place].get_width()) == (3000, 1000)
    assert "best wording" in ax.get_xlabel()
    (ax,) = axes(drawn(plots.relatives_costs(table.drop("best wording"))))
    assert "best wording" not in ax.get_xlabel()


def test_only_what_was_measured_has_a_panel(summary):
    table = summary.loc["city_country"][["trained", "bytes"]].assign(peak_mb=None)
    assert len(axes(drawn(plots.relatives_costs(table)))) == 2
    nothing = axes(drawn(plots.relatives_costs(table[[]])))[0]
    assert texts(nothing) == ["nothing was measured yet"]


def test_forgetting_shows_before_and_after(summary):
    (ax,) = axes(drawn(plots.forgetting(summary)))
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[0] == "LoRA\nafter city_country" and len(labels) == 4
    none = plots.forgetting(summary.assign(other=None))
    assert texts(axes(drawn(none))[0]) == ["nothing was measured yet"]


def test_customers_have_a_line_a_method(summary):
    table = customers_table(summary.loc["city_country"], (1, 10, 100))
    (ax,) = axes(drawn(plots.many_customers(table)))
    assert len(ax.lines) == len(table) + 1 and ax.get_yscale() == "log"
    twice = [line for line in ax.lines if line.get_label() == "twice the model"]
    assert set(twice[0].get_ydata()) == {1.08}
    (ax,) = axes(drawn(plots.many_customers(table.iloc[:0])))
    assert "not measured yet" in texts(ax)[0]
