"""One browser for all tests of the page; without one they are skipped, and say what is missing."""

import pytest
from browser import Browser, find_browser


@pytest.fixture(scope="session")
def browser():
    if not find_browser():
        pytest.skip("there is no Chromium here: './dev test' installs one; or set TOLLGATE_BROWSER")
    with Browser() as running:
        yield running
