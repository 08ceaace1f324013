"""What the tests of use cases share."""

from decimal import Decimal

import pytest

from billing.tests.told import bot, fresh_channels, gateway, mailbox  # noqa: F401  # fixtures
from sessions_app.tests.promises import check_books, check_sessions
from sessions_app.tests.stage import Stage
from stations.models import Station


@pytest.fixture
def stage(station):
    return Stage(station)


@pytest.fixture
def promises_hold(db):
    yield
    check_books()
    check_sessions()


@pytest.fixture
def powered(stage):
    Station.objects.filter(pk=stage.station.pk).update(max_power_kw=22)
    stage.station.max_power_kw = Decimal(22)
    return stage
