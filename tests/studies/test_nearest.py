"""The words nearest to trained prompts, which two studies start from."""

import pytest
import torch

import ptlearn as pt
from ptlearn.studies.nearest import TRAINED, WORDS, nearest_words
from ptlearn.studies.settling import settling_studies
from ptlearn.studies.store import load_table, read_folder, stored_folder


@pytest.mark.embedded
@pytest.mark.parametrize("task", TRAINED)
def test_the_words_are_those_of_the_stored_prompt(task, embedded_lm):
    table = load_table(stored_folder(), TRAINED[task])
    assert nearest_words(table, embedded_lm) == WORDS[task]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("study", "task"), [("facts", "city_country"), ("hypernyms", "kind_of")]
)
def test_the_prompt_is_the_bare_arms_first_confirming_run(study, task):
    row = read_folder(stored_folder())[TRAINED[task]]
    assert (row["study"], row["arm"], row["stage"]) == (study, "bare", "confirm")
    assert (row["task"], row["seed"], row["cv_fold"] or 0) == (task, 1000, 0)


@pytest.mark.slow
def test_every_virtual_token_has_one_whole_word():
    lm = pt.load_lm("tiny")
    ids = lm.tokenizer("capital city Paris", add_special_tokens=False)["input_ids"]
    matrix = lm.model.get_input_embeddings().weight
    assert nearest_words(1.5 * matrix[ids[1:]], lm) == "city Paris"
    # A token inside a word, or of signs, is no word: its nearest word stands for it.
    found = nearest_words(matrix[torch.tensor([ids[0], 30])], lm).split()
    assert len(found) == 2 and all(word.isalpha() for word in found)


def test_the_studies_of_starts_start_there():
    for name in ("starts_facts", "starts_hypernyms"):
        study = settling_studies()[name]
        [arm] = [a for a in study.arms if a.name == "nearest words"]
        assert arm.job.init == f"words: {WORDS[arm.job.task]}"
        assert (arm.name, "bare") in study.contrasts
