"""The defaults of ``fit`` follow the stored rows."""

import pandas as pd
import pytest

from ptlearn.studies.catalogue import load_study
from ptlearn.studies.defaults import (
    CHOSEN_ON,
    ENCODERS,
    SHOWN_ON,
    best_for_all,
    defaults_studies,
    rate_regrets,
)
from ptlearn.studies.store import stored_folder
from ptlearn.training.config import LEARNING_RATES


@pytest.mark.slow
def test_each_default_rate_has_the_smallest_worst_regret_of_the_studies():
    regrets = rate_regrets(stored_folder())
    assert set(regrets["study"]) == set(CHOSEN_ON)
    assert best_for_all(regrets).to_dict() == {
        encoder: LEARNING_RATES[encoder] for encoder in ENCODERS.values()
    }


@pytest.mark.slow
def test_the_regret_of_a_studys_own_rate_is_nothing():
    regrets = rate_regrets(stored_folder())
    own = regrets.groupby(["study", "arm"])["regret"].min()
    assert (own == 0).all() and len(own) == len(CHOSEN_ON) * len(ENCODERS)


def test_a_rate_that_is_bad_anywhere_or_was_not_tried_everywhere_is_not_chosen():
    lines = [
        ("a", 0.1, 0.0),
        ("b", 0.1, 5.0),  # best on one task, useless on the other
        ("a", 0.01, 0.3),
        ("b", 0.01, 0.2),
        ("a", 0.001, 0.1),  # only tried on one
    ]
    frame = pd.DataFrame(lines, columns=["study", "lr", "regret"])
    assert best_for_all(frame.assign(encoder="lstm"))["lstm"] == 0.01


def test_the_comparison_uses_tasks_that_had_no_part_in_the_choice():
    chosen_on = {arm.job.task for name in CHOSEN_ON for arm in load_study(name).arms}
    assert not chosen_on & set(SHOWN_ON)
    for study in defaults_studies().values():
        now, before = study.arms[0].job, study.arms[1].job
        assert (now.task, now.template) == (before.task, before.template)
        assert (now.schedule, before.schedule) == ("plateau", "linear")
