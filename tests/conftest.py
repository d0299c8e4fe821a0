"""The gateway that the tests of a file share."""

import pytest
from gateway import CONFIG, Gateway


@pytest.fixture(scope="module")
def gateway(request):
    with Gateway(getattr(request.module, "GATEWAY_CONFIG", CONFIG)) as running:
        yield running
        assert running.stop() == 0, running.log()
