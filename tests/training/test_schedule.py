"""The learning rate at each step, and the step at which a run ends."""

import pytest

from ptlearn.training.config import TrainingConfig
from ptlearn.training.schedule import Schedule


def shares(schedule, steps):
    return [schedule.share_of_peak(step) for step in steps]


def test_linear_rises_then_falls_evenly_to_zero():
    schedule = Schedule(TrainingConfig(steps=10, warmup=0.2, schedule="linear"))
    wanted = [0.5, 1.0, 1.0, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0.0]
    assert shares(schedule, range(11)) == wanted


def test_linear_ignores_the_dev_loss_and_ends_with_its_steps():
    schedule = Schedule(TrainingConfig(steps=10, evaluate_every=1, schedule="linear"))
    for step in range(10):
        schedule.see(step, 1.0)
    assert schedule.why_over(9) is None
    assert (schedule.why_over(10), schedule.last_step) == ("done", 10)


def test_without_warm_up_the_first_step_has_the_peak_rate():
    config = TrainingConfig(steps=1, warmup=0.0, schedule="linear")
    assert Schedule(config).share_of_peak(0) == 1.0


def plateau(losses, steps=1000, every=10, **settings):
    """A schedule that has seen these dev losses after 10, 20, ... steps."""
    config = TrainingConfig(
        steps=steps, schedule="plateau", warmup=0.01, evaluate_every=every, **settings
    )
    schedule = Schedule(config)
    for i, loss in enumerate(losses, start=1):
        schedule.see(10 * i, loss)
    return schedule


def test_plateau_keeps_the_rate_while_the_dev_loss_falls():
    schedule = plateau([3.0 - 0.02 * i for i in range(100)])
    assert shares(schedule, (0, 10, 500, 999)) == [0.1, 1.0, 1.0, 1.0]
    assert schedule.last_step == 1000 and schedule.why_over(1000) == "done"


def test_three_evaluations_without_gain_start_a_decay_of_a_fifth_of_the_steps():
    assert plateau([2.0, 1.0, 1.0, 0.995]).last_step == 1000
    schedule = plateau([2.0, 1.0, 1.0, 0.995, 1.3])  # flat since step 20
    assert shares(schedule, (50, 51, 55, 59)) == [1.0, 0.9, 0.5, 0.1]
    assert schedule.last_step == 60
    assert (schedule.why_over(59), schedule.why_over(60)) == (None, "plateau")
    schedule.see(60, 0.0)
    assert schedule.last_step == 60, "a decay is not called off"


def test_a_slow_fall_that_adds_up_is_no_plateau():
    assert plateau([2.0, 1.996, 1.992, 1.988, 1.984, 1.98, 1.976]).last_step == 1000


@pytest.mark.parametrize("step", [0, 5, 15])
def test_evaluations_in_warm_up_and_off_the_rhythm_do_not_count(step):
    schedule = plateau([])
    for _ in range(5):
        schedule.see(step, 1.0)
    assert schedule.last_step == 1000


def test_a_plateau_run_that_runs_out_of_steps_keeps_its_rates_when_extended():
    losses = [2.0, 1.0, 1.0, 1.0, 1.0]  # decays from step 50 to 60
    short, long = plateau(losses, steps=55), plateau(losses, steps=90)
    assert (short.last_step, short.why_over(55)) == (55, "done")
    assert shares(short, range(55)) == shares(long, range(55))
    assert (long.why_over(55), long.why_over(60)) == (None, "plateau")


def test_warm_up_is_a_share_of_the_planned_steps():
    config = TrainingConfig(steps=400, schedule="plateau", warmup=0.1)
    assert Schedule(config).warmup_steps == 40
    assert Schedule(config, planned_steps=100).warmup_steps == 10
