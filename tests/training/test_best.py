"""The choice of the parameters that a run ends with."""

import torch

from ptlearn.training.best import BestParameters
from ptlearn.training.history import History


def chosen(scores):
    """Offer parameters 1, 2, ... with these scores; return what was kept."""
    encoder, history = torch.nn.Linear(1, 1, bias=False), History()
    encoder.weight.data.fill_(0.0)
    best = BestParameters(encoder, history)
    for step, score in enumerate(scores, start=1):
        encoder.weight.data.fill_(float(step))
        best.offer(step, score)
    encoder.weight.data.fill_(99.0)
    best.put_back()
    return encoder.weight.item(), history.best_step, history.best_score


def test_the_earliest_of_the_best_scores_is_kept():
    assert chosen([0.1, 0.5, 0.9, 0.9, 0.2]) == (3.0, 3, 0.9)


def test_without_scores_the_last_parameters_are_kept():
    assert chosen([None, None]) == (2.0, 2, None)


def test_before_any_offer_the_start_is_kept():
    assert chosen([]) == (0.0, 0, None)
