"""Verifying stored rows: one that does not hold is a defect.

A processor of another kind adds in another order, and training magnifies the last bits
until two runs of one job are two draws. So a row is not simply run again. What any
processor can repeat within a narrow tolerance is checked everywhere: how training
began, and what the stored table scores. The run as a whole is checked where its bits
can be the same.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import PtlearnError, StudyError
from . import checks
from .job import Job
from .older_rows import repeat_older
from .prepare import device_name
from .provenance import code_version, versions
from .store import read_folder, stored_folder


@dataclass(frozen=True)
class Check:
    """The outcome of verifying one row.

    Attributes
    ----------
    row : dict
        The stored row.
    faults : tuple of str
        Sentences that say what differs by more than it may; empty if nothing does.
    same_code : bool
        Whether the code that ran now is the code that made the row.
    notes : tuple of str
        What could not be checked, and why.
    """

    row: dict
    faults: tuple[str, ...]
    same_code: bool
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        about = f"{self.row['task']}, {self.row.get('arm', '')}, "
        about += f"lr {self.row['lr']}, seed {self.row['seed']} ({self.row['key']})"
        notes = list(self.notes)
        if not self.same_code:
            notes.insert(0, "made by another version of the code")
        about += "".join(f" ({note})" for note in notes)
        if not self.faults:
            return f"[OK]   {about}"
        return f"[FAIL] {about}: " + "; ".join(self.faults)


def verify(
    n: int = 1,
    *,
    folder: str | Path | None = None,
    seed: int | None = None,
    full: bool = False,
) -> list[Check]:
    """Draw `n` stored rows and check each against what can be repeated here.

    1. Training begins as stored: the first three steps are taken again
       (:func:`checks.beginning`).
    2. The stored prompt embeddings give the stored score, row by row
       (:func:`checks.scores`).
    3. With ``full``, where processor, threads and versions are those of the row, the
       whole run is made again and must be the same bit for bit
       (:func:`checks.whole_run`).

    The first two hold on any processor, for rows in float32. In another dtype rounding
    is coarser than what they allow, so such a row is checked only on a processor like
    its own. Of rows whose format is too old for them the whole run is made again and
    compared loosely; see ``older_rows``.

    Parameters
    ----------
    n : int
        How many rows; all of them if there are fewer.
    folder : path, optional
        Where the rows lie; None: those that come with the package.
    seed : int or None
        Draws the rows; None draws other ones each time.
    full : bool
        Make whole runs again, which takes minutes each.

    Returns
    -------
    list of Check

    Raises
    ------
    StudyError
        If there are no rows, or a file of them is damaged.
    """
    folder = Path(folder) if folder is not None else stored_folder()
    rows = read_folder(folder)
    if not rows:
        raise StudyError(
            f"no rows to verify in {folder}: run a study, or name another folder"
        )
    drawn = random.Random(seed).sample(list(rows), min(n, len(rows)))
    return [verify_row(rows[key], rows, folder, full=full) for key in drawn]


def verify_row(
    row: dict, rows: Mapping[str, dict], folder: Path, *, full: bool = False
) -> Check:
    """Check one row; `rows` are all rows of the folder, by key."""
    same_code = row["code"] == code_version()
    job = Job.from_row(row)
    if job.key != row["key"]:
        fault = f"its settings give the key {job.key}: the row was altered"
        return Check(row, (fault,), same_code)
    if job.is_guess:
        return Check(row, tuple(checks.whole_run(row, job, folder)), same_code)
    if "test_log_probs" not in row and "losses" not in row:
        return Check(row, repeat_older(row, rows), same_code)
    elsewhere = other_conditions(row, job)
    if elsewhere and job.dtype != "float32":
        note = f"not checked, since {job.dtype} rounds too coarsely: {elsewhere}"
        return Check(row, (), same_code, (note,))
    faults, notes = [], []
    try:
        if job.is_trained:
            faults += checks.beginning(row, job)
        if row.get("test_log_probs"):
            if checks.has_table(row, job, folder):
                faults += checks.scores(row, job, folder)
            else:
                notes.append("its prompt embeddings are not stored: no score checked")
        if full and not faults:
            if elsewhere:
                notes.append(f"the whole run cannot be repeated here: {elsewhere}")
            else:
                faults += checks.whole_run(row, job, folder)
    except PtlearnError as error:
        faults.append(str(error))
    return Check(row, tuple(faults), same_code, tuple(notes))


def other_conditions(row: dict, job: Job) -> str:
    """Say why the bits of a row cannot be had here; "" if they can."""
    here = device_name(job)
    if row["device"] != here:
        return f"it ran on {row['device']}, this is {here}"
    now = versions()
    differ = [
        f"{name} {row['versions'].get(name)} and not {now[name]}"
        for name in now
        if row["versions"].get(name) != now[name]
    ]
    return "it ran with " + ", ".join(differ) if differ else ""
