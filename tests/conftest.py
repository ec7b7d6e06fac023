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
