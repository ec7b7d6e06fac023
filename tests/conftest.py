"""What all tests share: they run offline and without progress bars."""

import os

import pytest

# Set before torch, transformers or tqdm are imported anywhere.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# The bad notebooks are there to be refused, not to be run by nbval.
collect_ignore_glob = ["fixtures/*"]


@pytest.fixture(scope="session")
def embedded_lm():
    """The embedded model, which the test command's set-up has brought."""
    import ptlearn as pt

    return pt.load_lm()


def pytest_collection_modifyitems(items):
    """Put the longest files first, or one process would end the run alone.

    Lessons on the embedded model take minutes, the longest first; then come files
    with lessons on the tiny model, then files with slow tests.
    """
    cells, marks = {}, {}
    for item in items:
        cells[item.path] = cells.get(item.path, 0) + 1
        names = {mark.name for mark in item.iter_markers()}
        marks.setdefault(item.path, set()).update(names)

    def rank(item):
        if item.path.suffix == ".ipynb":
            return 0, -cells[item.path], item.path
        found = marks[item.path]
        return (1 if "lessons" in found else 2 if "slow" in found else 3), 0, item.path

    items.sort(key=rank)
