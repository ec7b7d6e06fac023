"""The code itself: no pickle, no text that runs, no download without a pinned hash."""

from collections.abc import Iterator
from pathlib import Path

import unsafe_code

from .outcome import Outcome, one

BAD = Path(unsafe_code.__file__).parent / "fixtures" / "unsafe.py"


def trial(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Read every file of ours; the scanner must bite on a bad one first."""
    bad = sum("  # " in line for line in BAD.read_text().splitlines())
    if len(unsafe_code.faults_in(BAD.read_text())) != bad:
        raise RuntimeError(f"the scanner misses some of the {bad} faults of {BAD.name}")
    for number, (name, faults) in enumerate(unsafe_code.all_faults().items()):
        if number in numbers:
            yield one("clean", faults and f"{name}: {'; '.join(faults)}")
