"""A number of rows or tokens that makes no sense is refused, not worked with."""

import numpy as np
import pytest

import ptlearn as pt
from ptlearn.errors import DataError
from ptlearn.evaluation import answer_probabilities
from ptlearn.forward.batches import batches_by_length

ROWS = [{"subject": "Osaka", "answer": "Japan"}, {"subject": "Rio", "answer": "Brazil"}]
ANSWERS = ["Japan", "Brazil"]


@pytest.fixture(scope="module")
def prompt():
    return pt.Prompt(pt.load_lm("tiny"), "{subject} is in {answer}")


CALLS = {
    "answer_log_probs": lambda p, n: p.answer_log_probs(ROWS, batch_size=n),
    "predict": lambda p, n: p.predict(ROWS, ANSWERS, batch_size=n),
    "generate": lambda p, n: p.generate(ROWS, batch_size=n),
    "answer_probabilities": lambda p, n: answer_probabilities(
        p, ROWS, ANSWERS, batch_size=n
    ),
}


@pytest.mark.parametrize("size", [-1, 0, 2.0, "4", None])
@pytest.mark.parametrize("call", CALLS)
def test_a_batch_has_at_least_one_row(prompt, call, size):
    message = f"batch_size must be a whole number, at least 1, not {size!r}"
    with pytest.raises(DataError, match=message):
        CALLS[call](prompt, size)


@pytest.mark.parametrize("most", [-1, 0, 1.5])
def test_at_least_one_token_is_written(prompt, most):
    message = f"max_new_tokens must be a whole number, at least 1, not {most}"
    with pytest.raises(DataError, match=message):
        prompt.generate(ROWS, max_new_tokens=most)


def test_numbers_of_numpy_are_numbers():
    assert batches_by_length([3, 1, 2], np.int64(2)) == [[1, 2], [0]]
