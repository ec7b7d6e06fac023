"""What was found: benchmarks/faults.json, and the table that README.md shows of it."""

import json
import os
import platform
import tempfile
from collections import Counter
from datetime import date
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from ptlearn.files import write_atomically

from .outcome import Outcome, Row

HERE = Path(__file__).resolve().parents[1]
FILE, README = HERE / "faults.json", HERE / "README.md"
BEGIN = "<!-- faults: written by `make faults` -->"
END = "<!-- faults: end -->"
MOST_FELL = 20
"""So many sentences of what fell are kept for a row; all are counted."""
LONGEST = 240
"""Characters of such a sentence that the README shows."""


class Record:
    """The rows' results, written to a file as they come.

    Programs that try different rows may write to one file.
    """

    def __init__(self, path: Path = FILE):
        self.path = path
        self.rows = self._read()
        self.begun: set[str] = set()

    def _read(self) -> dict[str, dict]:
        if not self.path.exists():
            return {}
        return json.loads(self.path.read_text(encoding="utf-8"))

    def begin(self, row: Row, again: bool = False) -> dict:
        """Return a row's entry, to go on with or empty."""
        self.begun.add(row.name)
        if again or row.name not in self.rows:
            self.rows[row.name] = {
                **{"tried": 0, "held": 0, "seconds": 0.0, "next": 0, "done": False},
                **{"kinds": {}, "measured": {}, "fell": []},
            }
        return self.rows[row.name]

    def add(self, row: Row, outcome: Outcome, seconds: float) -> None:
        """Add what came of one number."""
        entry = self.rows[row.name]
        entry["tried"] += outcome.tried
        entry["held"] += outcome.held
        entry["seconds"] = round(entry["seconds"] + seconds, 3)
        entry["next"] += 1
        entry["kinds"] = dict(Counter(entry["kinds"]) + outcome.kinds)
        for name, value in outcome.measured.items():
            entry["measured"][name] = max(value, entry["measured"].get(name, value))
        entry["fell"] = (entry["fell"] + outcome.fell)[:MOST_FELL]
        entry |= {"machine": machine(), "date": date.today().isoformat()}

    def write(self) -> None:
        """Write the rows that were begun here; the others stay as the file has them."""
        lock = FileLock(Path(tempfile.gettempdir()) / "ptlearn-faults.lock")
        with lock, write_atomically(self.path) as temporary:
            self.rows = self._read() | {name: self.rows[name] for name in self.begun}
            text = json.dumps(self.rows, indent=1, ensure_ascii=False, sort_keys=True)
            temporary.write_text(text + "\n", encoding="utf-8")


def machine() -> str:
    """Return what the figures depend on, without the machine's name."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "safetensors"))
    return (
        f"{os.cpu_count()} CPUs ({platform.machine()}, {platform.system()}), "
        f"Python {platform.python_version()}, {packages}"
    )


def table(record: Record, rows: list[Row]) -> str:
    """Return the Markdown table of all rows, and what fell below it."""
    lines = [
        "| row | fault | must hold | tried | held | how | seconds | date |",
        "|:--|:--|:--|--:|--:|:--|--:|:--|",
    ]
    fell = []
    for row in rows:
        entry = record.rows.get(row.name)
        start = f"| `{row.name}` | {row.fault} | {row.must_hold} "
        if not entry or not entry["tried"]:
            lines.append(f"{start}| 0 | | not run | | |")
            continue
        lines.append(
            f"{start}| {_tried(entry, row)} | {entry['held']:,} | {_how(entry)} "
            f"| {entry['seconds']:.0f} | {entry['date']} |"
        )
        fell += [f"- `{row.name}`: {_in_a_line(text)}" for text in entry["fell"]]
    machines = {entry["machine"] for entry in record.rows.values() if entry["tried"]}
    text = "\n".join(lines) + f"\n\nMeasured on {'; '.join(sorted(machines))}."
    return text + ("\n\nWhat fell:\n\n" + "\n".join(fell) if fell else "")


def _in_a_line(text: str) -> str:
    """Return a sentence as it may stand in a page; a fault's text may hold anything."""
    text = text.encode("unicode_escape").decode()
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."


def _tried(entry: dict, row: Row) -> str:
    tried = f"{entry['tried']:,}"
    if entry["done"]:
        return tried
    return tried + (f" of {row.full * row.each:,}" if row.full else " so far")


def _how(entry: dict) -> str:
    kinds = [f"{count:,} {kind}" for kind, count in sorted(entry["kinds"].items())]
    figures = [f"{name} {value:g}" for name, value in entry["measured"].items()]
    return ", ".join(kinds + figures)


def write_table(record: Record, rows: list[Row], readme: Path = README) -> None:
    """Put the table between its marks in the README."""
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    made = f"{before}{BEGIN}\n\n{table(record, rows)}\n\n{END}{after}"
    with write_atomically(readme) as temporary:
        temporary.write_text(made, encoding="utf-8")
