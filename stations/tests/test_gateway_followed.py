"""A running session over one socket: from its second sample on nothing is read, whatever time
passes; anything else that happens makes the next sample go the whole way."""

import asyncio
import datetime as dt

import pytest
from django.utils import timezone

from sessions_app.models import IdTag, Reading
from sessions_app.services import meter
from stations.gateway import process
from stations.gateway.v16 import core
from stations.models import Station

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def card(transactional_db, alice, tariff):
    return IdTag.objects.create(id_tag="CARD", identity="card", user=alice)


@pytest.fixture
def whole_way(monkeypatch):
    """How many messages went the whole way."""
    seen = []

    def record(**arguments):
        seen.append(arguments)
        return meter.record(**arguments)

    monkeypatch.setattr(core, "record", record)
    return seen


async def begin(station):
    started = await station.call(
        "StartTransaction",
        {
            "connectorId": 1,
            "idTag": "CARD",
            "meterStart": 1000,
            "timestamp": timezone.now().isoformat(),
        },
    )
    return started["transactionId"]


async def tell(station, transaction_id, register):
    at = timezone.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    values = [{"value": str(register)}, {"value": "7000", "measurand": "Power.Active.Import"}]
    payload = {
        "connectorId": 1,
        "transactionId": transaction_id,
        "meterValue": [{"timestamp": at, "sampledValue": values}],
    }
    assert await station.call("MeterValues", payload) == {}


async def test_a_pause_does_not_end_the_following(plug_in, k1, card, whole_way, monkeypatch):
    monkeypatch.setattr(process, "LEASE_EVERY_S", 0.1)  # the facts of the station are compared
    station = await plug_in()
    transaction_id = await begin(station)
    await tell(station, transaction_id, 1100)
    await asyncio.sleep(1.0)
    for register in (1200, 1300, 1400):
        await asyncio.sleep(0.3)
        await tell(station, transaction_id, register)
    assert len(whole_way) == 1
    assert await Reading.objects.filter(register_wh=1400).aexists()


async def test_a_boot_ends_it_until_the_next_sample(plug_in, k1, card, whole_way):
    station = await plug_in()
    transaction_id = await begin(station)
    await tell(station, transaction_id, 1100)
    await station.boot()
    await tell(station, transaction_id, 1200)
    await tell(station, transaction_id, 1300)
    assert len(whole_way) == 2


async def test_what_staff_change_of_a_station_ends_it_within_seconds(
    plug_in, k1, card, whole_way, monkeypatch
):
    monkeypatch.setattr(process, "LEASE_EVERY_S", 0.1)
    station = await plug_in()
    transaction_id = await begin(station)
    await tell(station, transaction_id, 1100)
    await Station.objects.filter(pk=k1.pk).aupdate(max_power_kw=11)
    deadline = timezone.now() + dt.timedelta(seconds=10)
    register = 1200
    while len(whole_way) == 1:
        assert timezone.now() < deadline
        await tell(station, transaction_id, register)
        register += 1
        await asyncio.sleep(0.1)
