"""What the tests of use cases share."""

import pytest

from sessions_app.tests.stage import Stage


@pytest.fixture
def stage(station):
    return Stage(station)
