"""No code of ours pickles, runs text, trusts code from elsewhere, or lets a shell read.

Nor does it download what has no pinned hash.
"""

from pathlib import Path

import unsafe_code

BAD = Path(__file__).parent / "fixtures" / "unsafe.py"


def test_no_code_of_ours_is_unsafe():
    found = unsafe_code.all_faults()
    assert len(found) > 200, "the package, the benchmarks and the lessons were read"
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_each_unsafe_line_is_found_and_no_other():
    code = BAD.read_text()
    wanted = [
        (number, line.rpartition("  # ")[2])
        for number, line in enumerate(code.splitlines(), start=1)
        if "  # " in line
    ]
    assert unsafe_code.faults_in(code) == wanted


def test_each_rule_bites():
    found = {
        fault.partition(":")[0] for _, fault in unsafe_code.faults_in(BAD.read_text())
    }
    assert len(found) >= len(unsafe_code.RULES)
