"""A browser for the tests, or a skip that says why there is none."""

import pytest

from browser_tools import find_browser


@pytest.fixture(scope="session")
def browser():
    found = find_browser()
    if isinstance(found, str):
        pytest.skip(found)
    return found
