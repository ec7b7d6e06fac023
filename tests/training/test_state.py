"""What a checkpoint holds of a run is all that the next steps depend on."""

import pytest
import torch

from ptlearn.training.checkpoints import Checkpoints
from ptlearn.training.state import RunState


def new_state(transposed=False):
    torch.manual_seed(0)
    encoder = torch.nn.Linear(4, 3)
    if transposed:
        encoder.weight = torch.nn.Parameter(torch.randn(4, 3).T)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.1, fused=True)
    return RunState(encoder, optimizer, planned_steps=9)


def go_on(state, steps):
    for _ in range(steps):
        inputs = torch.randn(5, 4)  # from the random state
        state.optimizer.zero_grad()
        state.encoder(inputs).square().mean().backward()
        state.optimizer.step()
        state.step += 1
        state.history.records.append({"step": state.step, "loss": 1 / 3})
        state.best.offer(state.step, 1.0 if state.step == 2 else 0.5)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_restored_state_goes_on_as_the_first_would_have(tmp_path, transposed):
    checkpoints = Checkpoints(tmp_path, {})
    first = new_state(transposed)
    go_on(first, 3)
    checkpoints.save(first.to_checkpoint())
    go_on(first, 3)

    second = new_state(transposed)
    second.restore(checkpoints.newest())
    assert (second.step, second.planned_steps) == (3, 9)
    assert second.history.best_step == 2 and len(second.history.records) == 3
    go_on(second, 3)
    for a, b in zip(
        first.encoder.parameters(), second.encoder.parameters(), strict=True
    ):
        assert torch.equal(a, b)
    assert second.history == first.history
    first.best.put_back()
    second.best.put_back()
    assert torch.equal(first.encoder.weight, second.encoder.weight)
