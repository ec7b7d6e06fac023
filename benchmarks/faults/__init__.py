"""Faults on purpose: what is tried, how often, and what held. ``make faults``.

A row of the table is a module's ``trial``: a generator that takes numbers, does to the
package what each number stands for, and yields an ``Outcome`` for it. ``catalogue``
lists the rows, ``record`` keeps what was found, and ``__main__`` is the program.
"""

import sys
from pathlib import Path

# The means of the kill tests (small models, small studies, kills at a line).
TESTS = Path(__file__).resolve().parents[2] / "tests"
sys.path.insert(0, str(TESTS))
