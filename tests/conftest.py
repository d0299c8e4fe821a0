"""The gateway that the tests of a file share."""

import os

import pytest
from gateway import CONFIG, Gateway

# pytest loads readline, which puts the size of a terminal that is not there into the environment of whatever is started.
for name in ("COLUMNS", "LINES"):
    os.unsetenv(name)


@pytest.fixture(scope="module")
def gateway(request):
    with Gateway(getattr(request.module, "GATEWAY_CONFIG", CONFIG)) as running:
        yield running
        assert running.stop() == 0, running.log()
