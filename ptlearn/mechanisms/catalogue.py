"""What a prompt encoder really does in training: the experiments, as data.

Each experiment compares traces that differ in one thing. All arms move the table as far
in their first steps (``Trace.move``), each at the rate that a probe finds for it, so
that no arm is faster only because its rate suits it better. Experiments that share a
trace share its row.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from ..errors import StudyError
from .lines import Line
from .traces import Trace

SEED_NAMES = ("start_seed", "weights_seed", "order_seed")
SEEDS = ((0, 10, 20), (1, 11, 21), (2, 12, 22))
SGD_MOVES = (0.002, 0.006, 0.02)
SGD_STEPS = 120
BARE = Trace()
MLP, LSTM = replace(BARE, encoder="mlp"), replace(BARE, encoder="lstm")
RESIDUAL = replace(BARE, encoder="residual-mlp")
WORDS = replace(BARE, start="words")


@dataclass(frozen=True)
class Experiment:
    """Traces that are compared with each other, by the name of their arm.

    Attributes
    ----------
    name, question : str
    arms : tuple of (str, Trace)
        The experiment fills in the seeds.
    lines : bool
        Whether the loss is taken on lines between the arms' tables afterwards.
    seeds : tuple of (start, weights, order)
    """

    name: str
    question: str
    arms: tuple[tuple[str, Trace], ...]
    lines: bool = False
    seeds: tuple[tuple[int, int, int], ...] = SEEDS

    def traces(self) -> Iterator[tuple[str, Trace]]:
        """Yield each arm's name with each of its traces."""
        for triple in self.seeds:
            for name, trace in self.arms:
                seeds = dict(zip(SEED_NAMES, triple, strict=True))
                yield name, replace(trace, **seeds)

    def on_model(self, model: str, **settings) -> "Experiment":
        """Return the same experiment on another model, or with other settings."""
        arms = tuple(
            (name, replace(trace, model=model, **settings)) for name, trace in self.arms
        )
        return replace(self, arms=arms)

    def between(self) -> Iterator[tuple[str, Line, Trace]]:
        """Yield the lines: what they are between, the line, and one of its traces."""
        if not self.lines:
            return
        traces = list(self.traces())
        for name, trace in traces:
            yield f"{name}, its way", Line(trace.key, trace.key, "start"), trace
        for (name, one), (other, two) in combinations(traces, 2):
            # Other seeds of one arm, and other arms from the same seeds.
            if name == other or one.order_seed == two.order_seed:
                both = f"{name}, two seeds" if name == other else f"{name} to {other}"
                yield both, Line(one.key, two.key), one


def _step_arms() -> tuple[tuple[str, Trace], ...]:
    kinds = {"bare": "none", "linear": "linear", "MLP": "mlp", "LSTM": "lstm"}
    arms = [
        (f"{label}, Adam", replace(BARE, encoder=kind)) for label, kind in kinds.items()
    ]
    for label in ("MLP", "LSTM"):
        # Ways from the fresh output of this encoder: direction x length of the steps.
        bare = replace(BARE, start=kinds[label])
        encoder = replace(BARE, encoder=kinds[label])
        grafted, lent = f"{label}'s direction, bare's length", {"length_of": "none"}
        own_rate, at_rate = f"{label}'s rate", {"rate_of": kinds[label]}
        arms += [
            (f"bare from {label}'s output", bare),
            (
                f"bare's direction, {label}'s length",
                replace(bare, length_of=kinds[label]),
            ),
            (grafted, replace(encoder, **lent)),
            (f"bare from {label}'s output, {own_rate}", replace(bare, **at_rate)),
            (f"{grafted}, {own_rate}", replace(encoder, **lent, **at_rate)),
        ]
    sgd = replace(BARE, optimizer="sgd", steps=SGD_STEPS)
    arms += [
        (f"{label}, SGD {move:g}", replace(sgd, encoder=kind, move=move))
        for label, kind in kinds.items()
        for move in SGD_MOVES
    ]
    return tuple(arms)


def experiments() -> dict[str, Experiment]:
    """Return all experiments on what an encoder does, by name."""
    back = {"then": "none"}
    found = [
        Experiment(
            "step_or_direction",
            "Is it the length of an encoder's steps that helps, or their direction?",
            _step_arms(),
        ),
        Experiment(
            "coupling",
            "Does an encoder help because it moves all virtual tokens together?",
            (
                ("bare", BARE),
                ("MLP", MLP),
                ("LSTM", LSTM),
                ("residual MLP", RESIDUAL),
                ("MLP, cut", replace(MLP, cut=True)),
                ("LSTM, cut", replace(LSTM, cut=True)),
                ("residual MLP, cut", replace(RESIDUAL, cut=True)),
            ),
        ),
        Experiment(
            "speed_or_optimum",
            "Is an encoder faster, or does it end elsewhere?",
            (
                ("bare", BARE),
                ("MLP", MLP),
                ("LSTM", LSTM),
                *(
                    (f"{label}, bare from {k}", replace(trace, switch_at=k, **back))
                    for label, trace in (("MLP", MLP), ("LSTM", LSTM))
                    for k in (20, 60)
                ),
                ("bare, restarted at 60", replace(BARE, switch_at=60, **back)),
                *(
                    (
                        f"bare, residual {label} from 60",
                        replace(BARE, switch_at=60, then=f"residual-{label.lower()}"),
                    )
                    for label in ("MLP", "LSTM")
                ),
            ),
        ),
        Experiment(
            "surface",
            "Do trained tables lie in one basin, or in optima that barriers part?",
            (
                ("bare", BARE),
                ("bare, words", WORDS),
                ("residual MLP", RESIDUAL),
                ("MLP", MLP),
                ("LSTM", LSTM),
            ),
            lines=True,
        ),
        Experiment(
            "lengths",
            "Is the effect of an encoder one of the length that vectors start at?",
            (
                ("bare, LSTM's length", replace(BARE, start="short")),
                ("bare, normal", BARE),
                ("bare, N(0, 1)", replace(BARE, start="paper")),
                ("bare, N(0, 1), larger move", replace(BARE, start="paper", move=0.1)),
                ("bare, LSTM's output", replace(BARE, start="lstm")),
                ("bare, words", WORDS),
                ("residual MLP, LSTM's length", replace(RESIDUAL, start="short")),
                ("residual MLP, normal", RESIDUAL),
                ("residual MLP, N(0, 1)", replace(RESIDUAL, start="paper")),
                ("residual MLP, words", replace(RESIDUAL, start="words")),
                ("MLP", MLP),
                ("LSTM", LSTM),
            ),
        ),
    ]
    return {experiment.name: experiment for experiment in found}


def load_experiment(name: str) -> Experiment:
    """Return an experiment by its name.

    Raises
    ------
    StudyError
        If the name is unknown; lists the names there are.
    """
    if name not in (known := experiments()):
        raise StudyError(
            f"no experiment is called {name!r}; there are: {', '.join(known)}"
        )
    return known[name]
