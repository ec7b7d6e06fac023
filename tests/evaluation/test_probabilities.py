"""The probability of each candidate answer."""

import pytest
import torch

import ptlearn as pt
from ptlearn.errors import PromptError
from ptlearn.evaluation import answer_probabilities

ROWS = [{"text": "so nice"}, {"text": "so bad, really bad"}]
ANSWERS = ["good", "not good at all", "poor"]


@pytest.fixture(scope="module")
def prompt():
    return pt.Prompt(pt.load_lm("tiny"), "{text} It is {answer}", answers=ANSWERS)


def test_probabilities_are_a_softmax_over_the_answers(prompt):
    table = answer_probabilities(prompt, ROWS)
    assert list(table.columns) == ANSWERS and table.shape == (2, 3)
    assert table.sum(axis=1).tolist() == pytest.approx([1, 1])
    logs = [
        prompt.answer_log_probs([row | {"answer": a} for a in ANSWERS]) for row in ROWS
    ]
    wanted = torch.stack(logs).softmax(1)
    assert torch.allclose(torch.tensor(table.to_numpy()).float(), wanted, atol=1e-4)
    assert table.idxmax(axis=1).tolist() == prompt.predict(ROWS)


def test_answers_of_ones_own(prompt):
    table = answer_probabilities(prompt, ROWS, ["yes", "no", "yes"])
    assert list(table) == ["yes", "no"]


def test_no_answers_are_refused(prompt):
    with pytest.raises(PromptError, match="no answers to choose from"):
        answer_probabilities(pt.Prompt(prompt.lm, "{text} {answer}"), ROWS)
