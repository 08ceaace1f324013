"""Two devices on one identity, and calls that break their schema: noted by the gateway."""

import datetime as dt

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from stations import takeovers
from stations.gateway.process import Gateway
from stations.models import IgnoredFrames, Takeovers
from stations.tests.in_process import InProcessStation

SECOND = dt.timedelta(seconds=1)


async def recent(gateway):
    await gateway._tell()  # the chore, now
    row = await Takeovers.objects.afirst()
    return row.recent if row else []


async def test_a_young_socket_that_is_replaced_is_noted(gateway, plug_in, k1):
    for number in range(3):
        station = await plug_in()
        await station.boot(chargePointSerialNumber=f"S{number}")
    noted = await recent(gateway)
    assert len(noted) == 2
    assert {peer for _, peer, _ in noted} == {"203.0.113.7"}
    assert noted[0][2] == "S2"


async def test_a_socket_that_is_closed_before_the_next_is_not_noted(gateway, plug_in, k1):
    for _ in range(3):
        station = await plug_in()
        await station.boot()
        await station.close()
    assert await recent(gateway) == []


async def test_a_socket_that_has_lived_for_long_is_not_noted(gateway, plug_in, k1, settings):
    """As after an outage of a network, when sockets are half open."""
    settings.CSMS_FLAPPING_WINDOW_S = 0
    for _ in range(2):
        await (await plug_in()).boot()
    assert await recent(gateway) == []


async def test_a_socket_that_moves_to_another_process_is_noted_where_it_was(gateway, plug_in, k1):
    other = Gateway()
    await (await plug_in()).boot()
    async with InProcessStation(other, "/ws/K-1") as station:
        await station.boot()
        await gateway._compare()  # as if the bell was lost
        await gateway._compare()
        assert len(await recent(gateway)) == 1
        assert other._takeovers == []
    await other.stop()


@pytest.mark.django_db
def test_the_last_thirty_are_kept(station):
    now = timezone.now()
    for start in (0, 25):
        takeovers.note(
            takeovers.Takeover(station.pk, f"p{number}", now + number * SECOND)
            for number in range(start, start + 25)
        )
    row = Takeovers.objects.get()
    assert [peer for _, peer, _ in row.recent] == [f"p{number}" for number in range(20, 50)]
    assert row.last_at == now + 49 * SECOND


@pytest.mark.django_db
def test_a_station_that_is_gone_has_none(station):
    takeovers.note([takeovers.Takeover(station.pk + 1, "p", timezone.now())])
    assert not Takeovers.objects.exists()


@pytest.mark.django_db
def test_only_what_is_within_the_window_counts(station):
    now = timezone.now()
    takeovers.note(
        takeovers.Takeover(station.pk, "p", now - age * SECOND) for age in (601, 600, 599)
    )
    assert takeovers.contest_of(Takeovers.objects.get(), now).count == 2


# --- Calls that break their schema ----------------------------------------------------------


async def breaches(gateway):
    await gateway._write()
    rows = IgnoredFrames.objects.filter(kind="breach")
    return await sync_to_async(list)(rows.values_list("count", "window_count"))


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("MeterValues", {"connectorId": "one", "meterValue": []}),
        ("Heartbeat", {"extra": 1}),
        ("StatusNotification", {"connectorId": 1}),
    ],
)
async def test_a_call_that_breaks_its_schema_is_counted(gateway, plug_in, k1, action, payload):
    station = await plug_in()
    await station.boot()
    for _ in range(3):
        await station.ask(action, payload)
    assert await breaches(gateway) == [(3, 3)]


@pytest.mark.parametrize("action", ["Heartbeat", "SelfMadeAction", "Reset"])
async def test_a_sound_call_and_one_that_we_do_not_know_are_no_breach(gateway, plug_in, k1, action):
    station = await plug_in()
    await station.boot()
    await station.ask(action, {})
    assert await breaches(gateway) == []
