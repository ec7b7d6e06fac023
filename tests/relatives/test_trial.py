"""A trial: what is refused, what names it, and the rows that it learns from."""

from dataclasses import replace

import pytest

from ptlearn.errors import StudyError
from ptlearn.relatives.trial import SETTINGS, Trial, trial_task
from ptlearn.tasks.task import load_task


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("Lora", "city_country"), "method must be one of best wording; 8 demonst"),
        (("LoRA", "topic"), "task must be one of city_country; movie_sentiment"),
        (("LoRA", "city_country"), "LoRA needs a learning rate"),
        (("linear probe", "city_country", 32, 0, 0.1), "has no rate; it got lr=0.1"),
    ],
)
def test_a_trial_that_cannot_be_is_refused(settings, message):
    with pytest.raises(StudyError, match=message):
        Trial(*settings)


def test_the_key_names_what_decides_the_numbers():
    trial = Trial("LoRA", "city_country", lr=1e-3)
    # The key of a stored row must never change.
    assert trial.key == "f73f80777381d44d"
    assert trial.key == replace(trial, steps=80).key
    keys = {replace(trial, **one).key for one in ({"seed": 1}, {"lr": 0.1}, {})}
    assert len(keys) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_few_rows_are_drawn_by_the_seed_and_no_row_serves_twice(name):
    one, same, other = (
        trial_task(Trial("best wording", name, seed=seed, test_rows=10))
        for seed in (1, 1, 2)
    )
    column = one.inputs[0]
    drawn = [set(one.split(split)[column]) for split in ("train", "dev", "test")]
    assert [len(rows) for rows in drawn] == [32, 32, 10]
    assert not (drawn[0] & drawn[1] or drawn[0] & drawn[2] or drawn[1] & drawn[2])
    assert one.train.to_list() == same.train.to_list() != other.train.to_list()


def test_with_more_answers_than_rows_an_answer_can_be_learnt_and_chosen_by():
    task = trial_task(Trial("best wording", "city_country"))
    assert set(task.train["answer"]) & set(task.dev["answer"])


def test_all_rows_of_a_large_task_are_as_many_as_those_of_the_facts():
    facts, reviews = (trial_task(Trial("best wording", n, rows=0)) for n in SETTINGS)
    assert len(facts.train) == len(load_task("city_country").train)
    assert len(reviews.train) == 440 and len(reviews.dev) == 64


@pytest.mark.parametrize("name", SETTINGS)
def test_the_prompts_read_the_very_words_that_the_others_read(name):
    setting = SETTINGS[name]
    words = setting.mixed
    for virtual in ("[V:2] ", "[V:3]", "[V:4]"):
        words = words.replace(virtual, "")
    assert words == setting.wording and setting.mixed != words
    assert SETTINGS[setting.other].other == name
