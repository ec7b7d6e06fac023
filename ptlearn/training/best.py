"""The choice of the parameters that a run ends with."""

from torch import Tensor, nn

from .history import History


class BestParameters:
    """A copy of the parameters of the best dev score, the earliest of equal ones.

    Without dev scores, the last parameters that were offered.

    Parameters
    ----------
    encoder : nn.Module
        Its present parameters are kept until something is offered.
    history : History
        Its ``best_step`` and ``best_score`` say what is kept.
    """

    def __init__(self, encoder: nn.Module, history: History):
        self.encoder, self.history = encoder, history
        self.tensors = self._copy()

    def offer(self, step: int, score: float | None) -> None:
        """Keep the present parameters if their score is the best so far."""
        best = self.history.best_score
        if score is None or best is None or score > best:
            self.history.best_step, self.history.best_score = step, score
            self.tensors = self._copy()

    def put_back(self) -> None:
        """Give the encoder the parameters that were kept."""
        self.encoder.load_state_dict(self.tensors)

    def _copy(self) -> dict[str, Tensor]:
        state = self.encoder.state_dict()
        return {name: tensor.detach().clone() for name, tensor in state.items()}
