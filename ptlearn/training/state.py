"""What changes in a run from step to step, and how a checkpoint holds it."""

import torch
from torch import Tensor, nn

from .best import BestParameters
from .checkpoints import Checkpoint
from .history import History


class RunState:
    """Everything that a run carries from one step to the next.

    Parameters
    ----------
    encoder : nn.Module
        What is trained.
    optimizer : torch.optim.Optimizer
        Over the encoder's parameters, in their order.
    planned_steps : int
        ``steps`` of the call that began the run.

    Attributes
    ----------
    step : int
        How many steps were taken.
    history : History
    best : BestParameters
    """

    def __init__(
        self, encoder: nn.Module, optimizer: torch.optim.Optimizer, planned_steps: int
    ):
        self.encoder, self.optimizer = encoder, optimizer
        self.planned_steps, self.step = planned_steps, 0
        self.history = History()
        self.best = BestParameters(encoder, self.history)

    @property
    def _device(self) -> torch.device:
        return next(self.encoder.parameters()).device

    def to_checkpoint(self) -> Checkpoint:
        """Return a checkpoint of the present state; its tensors are not copies."""
        current = self.encoder.state_dict()
        tensors = {f"current.{name}": tensor for name, tensor in current.items()}
        tensors |= {f"best.{name}": t for name, t in self.best.tensors.items()}
        for i, parameter in enumerate(self.encoder.parameters()):
            for name, tensor in self.optimizer.state[parameter].items():
                tensors[f"optimizer.{i}.{name}"] = tensor
        tensors["random.cpu"] = torch.get_rng_state()
        if self._device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self._device)
        values = {"planned_steps": self.planned_steps, "history": vars(self.history)}
        return Checkpoint(self.step, tensors, values)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over a checkpoint's state, and the process's random state with it."""
        self.step = checkpoint.step
        self.planned_steps = checkpoint.values["planned_steps"]
        vars(self.history).update(checkpoint.values["history"])
        groups: dict[str, dict[str, Tensor]] = {"optimizer": {}}
        for key, tensor in checkpoint.tensors.items():
            group, _, name = key.partition(".")
            groups.setdefault(group, {})[name] = tensor
        self.encoder.load_state_dict(groups["current"])
        self.best.tensors = {n: t.to(self._device) for n, t in groups["best"].items()}
        self._restore_optimizer(groups["optimizer"])
        torch.set_rng_state(groups["random"]["cpu"])
        if self._device.type == "cuda" and "cuda" in groups["random"]:
            torch.cuda.set_rng_state(groups["random"]["cuda"], self._device)

    def _restore_optimizer(self, tensors: dict[str, Tensor]) -> None:
        parameters = list(self.encoder.parameters())
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            number, _, name = key.partition(".")
            parameter = parameters[int(number)]
            if tensor.shape == parameter.shape:
                # A file holds no strides, and the fused AdamW needs the parameter's.
                tensor = torch.empty_like(parameter).copy_(tensor)
            state.setdefault(int(number), {})[name] = tensor
        param_groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": param_groups})
