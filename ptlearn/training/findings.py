"""What a diagnosis says: one finding for each thing that was looked at."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

OK, LOOK, FAIL = "OK", "LOOK", "FAIL"
"""Nothing to do; worth a look, it may be as you want it; surely wrong."""
COLUMNS = ["check", "state", "found", "what to do"]


@dataclass(frozen=True)
class Finding:
    """One line of a diagnosis.

    Attributes
    ----------
    check : str
        What was looked at, such as "gradient".
    state : "OK", "LOOK" or "FAIL"
    found : str
        The number.
    remedy : str
        What to do; empty where nothing is to be done.
    """

    check: str
    state: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{f'[{self.state}]':6} {self.check}: {self.found}"
        return line + (f"\n       What to do: {self.remedy}" if self.remedy else "")


def as_table(found: Iterable[Finding]) -> pd.DataFrame:
    """Return findings as a table, for a notebook: check, state, found, what to do."""
    lines = [(f.check, f.state, f.found, f.remedy) for f in found]
    return pd.DataFrame(lines, columns=COLUMNS)
