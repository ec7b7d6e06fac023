"""A linear probe reads the last state, and knows no answer that it was not shown."""

import numpy as np
import pytest
import torch
from safetensors import safe_open

import ptlearn as pt
from ptlearn.relatives.probe import LinearProbe

WORDING = "Review: {text}\nSentiment: {answer}"


@pytest.fixture(scope="module")
def task():
    task = pt.tasks.few_rows(pt.load_task("movie_sentiment"), 16, 0)
    return task.head("test", 8)


@pytest.fixture(scope="module")
def probe(task):
    return LinearProbe(pt.load_lm("tiny", device="cpu"), WORDING).fit(task)


@pytest.mark.slow
def test_states_are_those_of_the_last_token_whatever_the_batch(probe, task):
    rows = list(task.test)
    states = probe.states(rows)
    ids, _ = probe.tokens.prompt_ids(rows[3])
    out = probe.lm.model(input_ids=torch.tensor([ids]), output_hidden_states=True)
    np.testing.assert_allclose(states[3], out.hidden_states[-1][0, -1], atol=1e-5)
    np.testing.assert_allclose(states[:2], probe.states(rows[:2]), atol=1e-5)


def test_it_learns_what_it_is_shown(probe, task):
    predicted = probe.predict(task.train)
    assert np.mean(np.array(predicted) == task.train["answer"]) > 0.7
    assert probe.num_trainable() == probe.lm.token_dim + 1


def test_it_has_no_answer_that_no_training_row_had(task):
    facts = pt.tasks.few_rows(pt.load_task("official_language"), 6, 0)
    probe = LinearProbe(pt.load_lm("tiny", device="cpu"), "{subject} {answer}")
    probe.fit(facts)
    assert set(probe.predict(facts.test)) <= set(facts.train["answer"])
    # An unseen dev answer costs much, and the loss stays a number.
    assert 0 < probe.dev_loss < 21


def test_what_is_saved_is_all_that_it_needs(probe, tmp_path):
    probe.save(tmp_path)
    with safe_open(tmp_path / "probe.safetensors", "pt") as file:
        names = ("weights", "intercepts", "means", "scales")
        shapes = {name: tuple(file.get_tensor(name).shape) for name in names}
        assert file.metadata()["answers"] == "negative\npositive"
    width = probe.lm.token_dim
    assert shapes == {
        "weights": (1, width),
        "intercepts": (1,),
        "means": (width,),
        "scales": (width,),
    }
