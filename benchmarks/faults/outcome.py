"""What a trial yields, and what a row of the table is."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path


@dataclass
class Outcome:
    """What came of one number of a trial.

    Attributes
    ----------
    tried, held : int
        A number may stand for several faults.
    kinds : Counter
        How it held, in words: "noticed", "harmless".
    fell : list of str
        One sentence for each that did not hold.
    measured : dict of str to float
        Figures of which the table shows the largest.
    """

    tried: int = 0
    held: int = 0
    kinds: Counter = field(default_factory=Counter)
    fell: list[str] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)

    def add(self, kind: str = "", fell: str = "") -> None:
        """Count one fault, which held unless ``fell`` says what happened."""
        self.tried += 1
        if fell:
            self.fell.append(fell)
            return
        self.held += 1
        if kind:
            self.kinds[kind] += 1


def one(kind: str = "", fell: str = "") -> Outcome:
    """Return the outcome of a number that stands for one fault."""
    outcome = Outcome()
    outcome.add(kind, fell)
    return outcome


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes
    ----------
    name : str
        For the command line.
    fault, must_hold : str
        The table's words.
    trial : str
        "module.function" of this package, which is imported when the row is tried. The
        function takes numbers and an empty folder, and yields outcomes.
    full : int or None
        How many numbers make the row complete; None: until the trial ends by itself.
    short : range
        The numbers that a test tries, and ``--scale`` where a row has no full number.
    each : int
        Faults that a number stands for, where that is fixed.
    """

    name: str
    fault: str
    must_hold: str
    trial: str
    full: int | None
    short: range
    each: int = 1

    def outcomes(self, numbers: range, folder: Path) -> Iterator[Outcome]:
        """Try the numbers; anything may be written into the folder."""
        module, _, name = self.trial.rpartition(".")
        package = __name__.rpartition(".")[0]
        trial = getattr(import_module(f"{package}.{module}"), name)
        yield from trial(numbers, folder)
