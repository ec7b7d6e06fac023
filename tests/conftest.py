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

    Lessons on the embedded model take minutes, which their first table says; then come
    the files with lessons on the tiny model, then those with slow tests.
    """
    marks = {}
    for item in items:
        names = {mark.name for mark in item.iter_markers()}
        marks.setdefault(item.path, set()).update(names)
    ranks = {path: rank(path, found) for path, found in marks.items()}
    items.sort(key=lambda item: ranks[item.path])


def rank(path, marks):
    """Return what a test file is sorted by, the longest first."""
    if path.suffix == ".ipynb":
        from ptlearn.course.runner import stated_minutes

        return 0, -stated_minutes(path), path
    return (1 if "lessons" in marks else 2 if "slow" in marks else 3), 0, path
