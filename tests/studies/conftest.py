"""What the tests of studies share."""

import pytest
from small_study import STUDY, run


@pytest.fixture(scope="session")
def true_folder(tmp_path_factory):
    """The small study, really run on the tiny model."""
    folder = tmp_path_factory.mktemp("true")
    run(STUDY, folder)
    return folder
