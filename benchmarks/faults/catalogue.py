"""The rows of the table, in its order."""

from .counts import AT_ONCE, FIT_KILLS, MEMORY, STRINGS_EACH, STUDY_KILLS
from .outcome import Row

NOTICED = "noticed or harmless"

ROWS = [
    Row(
        "fit",
        "`fit` killed at a line of its own code, and resumed",
        "table and history bit-equal to the whole run",
        *("fits.trial", FIT_KILLS, range(0, 100, 34)),
    ),
    Row(
        "fetch",
        "a fetch killed before every line of our own code",
        "the next fetch gives a good model, nothing is left over",
        *("fetches.trial", None, range(5)),
    ),
    Row(
        "fetch-together",
        f"{AT_ONCE} processes fetch at once",
        "one good cache",
        *("fetches.together", 3, range(1), AT_ONCE),
    ),
    Row(
        "train-together",
        f"{AT_ONCE} processes train and save to one folder",
        "clear refusals, no mixed files",
        *("together.trial", 10, range(2), AT_ONCE),
    ),
    Row(
        "study",
        "a study killed at a line of its own code, and run again",
        "the same rows, none twice, none lost",
        *("studies.trial", STUDY_KILLS, range(3, 20, 8)),
    ),
    Row(
        "dask",
        "the Dask worker of each job killed in turn",
        "the same rows, none twice, none lost",
        *("studies.dask_trial", 6, range(1)),
    ),
    Row(
        "save",
        "saving a prompt killed at every byte, and before every line",
        "the old prompt or the new one, never mixed",
        *("saves.trial", None, range(0, 5000, 250)),
    ),
    Row(
        "full-disk",
        "a disk with room for a page more, or a file more, each time",
        "an error that names the place; what was there is intact",
        *("disks.full", None, range(500)),
    ),
    Row(
        "read-only",
        "a folder that may only be read",
        "an error that names the place; what was there is intact",
        *("disks.read_only", None, range(8)),
    ),
    Row(
        "bits-model",
        "a bit flipped in a model's folder that a prompt was saved for",
        NOTICED,
        "bits.in_a_model",
        1000,
        range(5),
    ),
    Row(
        "bits-prompt",
        "a bit flipped in a saved prompt",
        NOTICED,
        "bits.in_a_prompt",
        1000,
        range(20),
    ),
    Row(
        "bits-checkpoint",
        "a bit flipped in one of two checkpoints",
        NOTICED,
        "bits.in_a_checkpoint",
        1000,
        range(20),
    ),
    Row(
        "bits-rows",
        "a bit flipped in a study's file of rows",
        NOTICED,
        "bits.in_rows",
        1000,
        range(20),
    ),
    Row(
        "templates",
        "strings that may be templates",
        "`TemplateError` with a caret within the text, or a round trip",
        *("templates.trial", 1000, range(5), STRINGS_EACH),
    ),
    Row(
        "tables",
        "CSV and JSONL files, mutated",
        "read as an independent reader does, or refused with the line",
        *("tables.trial", 10_000, range(1000)),
    ),
    Row(
        "offline",
        "the network cut after set-up",
        "every command, room of tests and lesson (tiny model) runs",
        *("offline.trial", None, range(2)),
    ),
    Row(
        "memory",
        f"each lesson on the embedded model under {MEMORY / 1e9:.0f} GB",
        "runs",
        *("memory.trial", 11, range(1)),
    ),
    Row(
        "odd-rows",
        "NaN, infinities, emoji, right-to-left text, a NUL, rows as long as the "
        "window, no rows, one answer, 10,000 answers ...",
        "the result of a plain forward, or an error of ours",
        *("odd_rows.trial", None, range(0, 267, 7)),
    ),
    Row(
        "code",
        "our own code, scanned",
        "no pickle, `eval`, `exec`, `trust_remote_code`, shell string, unpinned hash",
        *("code.trial", None, range(400)),
    ),
]
