"""Security events: kept once, bounded, and told where a person should look."""

import datetime as dt

import pytest
from django.utils import timezone

from stations import security_events
from stations.models import Alert, SecurityEvent
from stations.security_events import SecurityNotice

AT = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


def said(station, kind="FirmwareUpdated", *, at=AT, tech_info=""):
    notice = SecurityNotice(kind, at, timezone.now(), tech_info)
    security_events.record(station=station, notice=notice)


def test_an_event_that_comes_twice_is_one(station):
    for _ in range(2):
        said(station)
        said(station, at=None)
    assert SecurityEvent.objects.count() == 2


def test_another_time_or_text_is_another_event(station):
    said(station)
    said(station, at=AT + dt.timedelta(seconds=1))
    said(station, tech_info="again")
    assert SecurityEvent.objects.count() == 3


@pytest.mark.parametrize("kind", security_events.ALARMING)
def test_what_needs_a_look_opens_one_alert(station, kind):
    said(station, kind)
    said(station, kind, tech_info="again")
    alert = Alert.objects.get()
    assert (alert.kind, alert.station, alert.count) == ("security_event", station, 2)
    assert kind in alert.text


@pytest.mark.parametrize("kind", ["StartupOfTheDevice", "ResetOrReboot", "OfAVendor", ""])
def test_what_is_of_every_day_opens_none(station, kind):
    said(station, kind)
    assert not Alert.objects.exists()
    assert SecurityEvent.objects.count() == 1


def test_a_station_that_never_ends_fills_no_disk(station, monkeypatch):
    monkeypatch.setattr(security_events, "MAX_ROWS", 3)
    for number in range(6):
        said(station, tech_info=str(number))
    assert SecurityEvent.objects.count() == 3
    assert Alert.objects.get().count == 3


async def test_an_event_before_the_first_status_is_kept_with_both_times(plug_in, k1):
    """Field note 22: it comes between BootNotification and the first StatusNotification."""
    station = await plug_in()
    await station.boot()
    event = {"type": "TamperDetectionActivated", "timestamp": "2026-11-01T00:00:00Z"}
    assert await station.call("SecurityEventNotification", event | {"techInfo": "door"}) == {}
    row = await SecurityEvent.objects.aget()
    assert (row.at, row.tech_info) == (AT, "door")
    assert await Alert.objects.filter(kind="security_event").acount() == 1


async def test_an_event_whose_time_cannot_be_read_is_kept_without(plug_in, k1):
    station = await plug_in()
    await station.call("SecurityEventNotification", {"type": "X", "timestamp": "yesterday"})
    assert (await SecurityEvent.objects.aget()).at is None
