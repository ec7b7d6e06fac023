"""The learning rate at each step, and the step at which a run ends."""

from .config import TrainingConfig

PATIENCE = 3
"""Dev evaluations in a row without a lower dev loss that make a plateau."""
LEAST_GAIN = 0.01
"""By how much, in nats, the dev loss must fall to count as lower."""
DECAY_SHARE = 0.2
"""Length of the decay after a plateau, as a share of the steps before it."""


class Schedule:
    """Warm-up, a constant rate (only of a plateau schedule), and a linear decay.

    A linear schedule decays from the end of warm-up to the last step. A plateau
    schedule decays once the dev loss has stopped falling. Its rate at a step does not
    depend on ``config.steps``, so that a run that was too short can be extended.

    Parameters
    ----------
    config : TrainingConfig
        As ``TrainingConfig.resolve`` returned it: with its steps and its schedule.
    planned_steps : int, optional
        The steps that warm-up is a share of: those of the first call, in a run that is
        extended. None is ``config.steps``.
    """

    def __init__(self, config: TrainingConfig, planned_steps: int | None = None):
        self.config = config
        planned_steps = planned_steps or config.steps
        self.warmup_steps = max(1, round(config.warmup * planned_steps))
        self._decay_start, self._decay_steps = None, 0
        if config.schedule == "linear":
            self._decay_start = self.warmup_steps
            self._decay_steps = max(1, config.steps - self.warmup_steps)
        self._lowest, self._without_gain = float("inf"), 0

    @property
    def last_step(self) -> int:
        """The step that the run ends with, as far as is known by now."""
        if self._decay_start is None:
            return self.config.steps
        return min(self.config.steps, self._decay_start + self._decay_steps)

    def share_of_peak(self, step: int) -> float:
        """Return the rate for step number ``step`` (from 0) as a share of the peak."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self._decay_start is None:
            return 1.0
        left = self._decay_start + self._decay_steps - step
        return max(0.0, left / self._decay_steps)

    def see(self, step: int, dev_loss: float) -> None:
        """Take note of the dev loss after ``step`` steps; it may start the decay."""
        # A rate that still rises proves nothing, and an evaluation at the end of a run
        # that is later extended is one that an uninterrupted run does not have.
        counts = step >= self.warmup_steps and step % self.config.evaluate_every == 0
        if not counts or self._decay_start is not None:
            return
        if dev_loss < self._lowest - LEAST_GAIN:
            self._lowest, self._without_gain = dev_loss, 0
            return
        self._without_gain += 1
        if self._without_gain == PATIENCE:
            self._decay_start = step
            self._decay_steps = max(1, round(DECAY_SHARE * step))

    def why_over(self, step: int) -> str | None:
        """Return "done" or "plateau" if nothing follows after ``step`` steps."""
        if step < self.last_step:
            return None
        decayed = self._decay_start is not None and self.config.schedule == "plateau"
        if decayed and step >= self._decay_start + self._decay_steps:
            return "plateau"
        return "done"
