"""``python -m faults``: do harm on purpose, and write down what held."""

import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Annotated

import typer

from .catalogue import ROWS
from .outcome import Row
from .record import FILE, README, Record, write_table

ENDLESS = 10**9
WRITE_EVERY = 5
"""Seconds between two writes of the results."""


def run_row(row: Row, record: Record, numbers: int | None, seconds: float) -> None:
    """Try a row's numbers from where the record stands; write results as they come."""
    entry = record.rows[row.name]
    left = range(entry["next"], numbers or ENDLESS)
    began = last = written = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        trial = row.outcomes(left, Path(folder))
        try:
            for outcome in trial:
                now = time.monotonic()
                record.add(row, outcome, now - last)
                last = now
                for sentence in outcome.fell:
                    print(f"  fell: {sentence}", flush=True)
                if now - written > WRITE_EVERY:
                    record.write()
                    written = now
                if now - began > seconds:
                    break
            else:
                # The trial, or the whole of its numbers, is over.
                entry["done"] = numbers is None or numbers == row.full
        finally:
            trial.close()
            record.write()


def main(
    rows: Annotated[
        list[str] | None, typer.Argument(help="Rows by name; none: all of them.")
    ] = None,
    scale: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the numbers to try.")
    ] = 1.0,
    minutes: Annotated[
        float, typer.Option(help="Begin nothing more in a row after so many.")
    ] = 1e9,
    again: Annotated[
        bool, typer.Option("--again", help="Start the rows anew; else go on with them.")
    ] = False,
    out: Annotated[Path, typer.Option(help="The file of results.")] = FILE,
    readme: Annotated[Path, typer.Option(help="Gets the table.")] = README,
) -> None:
    """Try every fault; write faults.json and the README's table.

    A run that was stopped goes on where it was; a row that is done stays.
    """
    names = rows or []
    unknown = set(names) - {row.name for row in ROWS}
    if unknown:
        known = ", ".join(row.name for row in ROWS)
        raise typer.BadParameter(f"no row {', '.join(sorted(unknown))}; known: {known}")
    record = Record(out)
    for row in ROWS:
        if names and row.name not in names:
            continue
        entry = record.rows.get(row.name, {})
        if entry.get("done") and not again:
            print(f"{row.name}: done before, {entry['held']} of {entry['tried']} held")
            continue
        record.begin(row, again)
        numbers = row.full
        if scale < 1:
            numbers = max(1, round(scale * (row.full or row.short.stop)))
        print(f"{row.name}: {row.fault} ...", flush=True)
        run_row(row, record, numbers, 60 * minutes)
        entry = record.rows[row.name]
        print(f"  {entry['held']} of {entry['tried']} held", flush=True)
        write_table(record, ROWS, readme)


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", Warning)
    typer.run(main)
