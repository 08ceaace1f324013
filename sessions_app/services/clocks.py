"""Watch the clocks of stations: learn when one was set back, and tell when one is off."""

import datetime as dt
from collections.abc import Iterable, Iterator

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, OuterRef, Subquery
from django.db.models.functions import Abs

from stations import alerts
from stations.apart import apart
from stations.clock import STEADY_FOR, STEADY_S, risen
from stations.models import Alert, ConnectorStatus, Station

from ..models import ChargingSession, Reading

ALERT = "clock_off"
RECENT = STEADY_FOR * 2
REMEMBERED = dt.timedelta(days=1)
HEARD = 200
"""Messages that are looked at: half an hour of a station that reports every 10 s."""
AFTER_BOOT = dt.timedelta(minutes=5)
"""The first messages after a boot may be old ones: a moment later its clock is known."""

_Heard = tuple[int, dt.datetime | None, dt.datetime, float | None]
"""A station, its time and ours of one message, and the offset that is known."""


def run_due(now: dt.datetime) -> int:
    """Learn which clocks were set back, and open and resolve alerts; return how many were seen."""
    suspects = {*_by_reading(), *_by_status(now)}
    stations = list(Station.objects.filter(pk__in=suspects, clock_offset_s__isnull=False))
    for station in stations:
        apart(_learn, station, now)
    return len(stations) + _tell(now)


def _by_reading() -> Iterator[int]:
    """Stations whose last reading of a running session is later than their offset says.

    After a clock was set back, that is the last of the old clock until the new one has passed it.
    """
    latest = Reading.objects.filter(session=OuterRef("pk")).order_by("-at")
    running = ChargingSession.objects.running().annotate(
        said_at=Subquery(latest.values("at")[:1]),
        heard_at=Subquery(latest.values("received_at")[:1]),
        offset_s=F("station__clock_offset_s"),
    )
    told = running.values_list("station_id", "said_at", "heard_at", "offset_s")
    return _later(told.iterator())


def _by_status(now: dt.datetime) -> Iterator[int]:
    recent = ConnectorStatus.objects.filter(received_at__gt=now - RECENT)
    return _later(
        recent.values_list("station_id", "at", "received_at", "station__clock_offset_s").iterator()
    )


def _later(rows: Iterable[_Heard]) -> Iterator[int]:
    for station_id, said_at, heard_at, offset_s in rows:
        if said_at is None or offset_s is None:
            continue
        if (heard_at - said_at).total_seconds() > offset_s + STEADY_S:
            yield station_id


@transaction.atomic
def _learn(station: Station, now: dt.datetime) -> None:
    """Correct the offset of one station, unless a message has just done so."""
    known_s = station.clock_offset_s
    assert known_s is not None
    offset_s = risen(known_s, _heard(station, now))
    if offset_s is not None:
        unchanged = Station.objects.filter(pk=station.pk, clock_offset_s=known_s)
        unchanged.update(clock_offset_s=offset_s)


def _heard(station: Station, now: dt.datetime) -> list[tuple[dt.datetime, float]]:
    """When the last messages since the boot came, and how much later than their own time.

    A message of several samples is as late as the last of them. The readings are found by their
    sessions: those of a station have no index by when they came.
    """
    since = max(now - REMEMBERED, station.booted_at or now - REMEMBERED)
    lately = list(station.sessions.filter(last_reading_at__gt=since).values_list("pk", flat=True))
    readings = Reading.objects.filter(session__in=lately, received_at__gt=since)
    told = readings.order_by("-received_at").values_list("received_at").annotate(last=Max("at"))
    statuses = ConnectorStatus.objects.filter(station=station, received_at__gt=since)
    said = statuses.exclude(at=F("received_at")).order_by("-received_at")
    pairs = [*told[:HEARD], *said.values_list("received_at", "at")[:HEARD]]
    return sorted((heard_at, (heard_at - at).total_seconds()) for heard_at, at in pairs)


def _tell(now: dt.datetime) -> int:
    """Open one alert for each clock that is off, and resolve those of clocks that are right."""
    bound = settings.CSMS_CLOCK_TOLERANCE_S
    known = Station.objects.annotate(off_s=Abs("clock_offset_s"))
    told = Alert.objects.filter(kind=ALERT, resolved_at__isnull=True).values("station")
    wrong = known.filter(off_s__gt=bound).exclude(booted_at__gt=now - AFTER_BOOT)
    opened = list(wrong.exclude(pk__in=told))
    for station in opened:
        apart(_open, station)
    resolved = list(known.filter(pk__in=told, off_s__lte=bound))
    for station in resolved:
        alerts.resolve_alert(ALERT, str(station.pk))
    return len(opened) + len(resolved)


@transaction.atomic
def _open(station: Station) -> None:
    by = dt.timedelta(seconds=round(abs(station.clock_offset_s or 0)))
    text = f"The clock of {station} is off by {by}."
    alerts.open_alert(ALERT, str(station.pk), text, station=station)
