"""Whose clock says what: the offset between a station's clock and ours (design section 4).

The offset is the least (ours − station's) over the messages since the last boot: a replayed old
message only makes the difference larger, so the least is that of a live one.
"""

import datetime as dt

from django.db.models import Q

from .models import Station

TRUSTED_PAST = dt.timedelta(days=7)
TRUSTED_FUTURE = dt.timedelta(minutes=5)
LONGEST_OFFLINE = dt.timedelta(days=365)
"""No station keeps a message for longer: what seems older was stamped before its clock was set."""
STEP_S = 0.5
"""A smaller improvement of the offset is not worth a write."""


def observe(station: Station, at: dt.datetime, received_at: dt.datetime) -> None:
    """Learn from one message that said `at` and came at `received_at`."""
    offset_s = (received_at - at).total_seconds()
    known = station.clock_offset_s
    if known is not None and offset_s > known - STEP_S:
        return
    station.clock_offset_s = offset_s
    Station.objects.filter(pk=station.pk).filter(
        Q(clock_offset_s__isnull=True) | Q(clock_offset_s__gt=offset_s)
    ).update(clock_offset_s=offset_s)


def to_ours(station: Station, at: dt.datetime, received_at: dt.datetime) -> dt.datetime:
    """Translate a moment of the station's clock to ours.

    Before anything is known of the clock, a time that may be right is taken as it is (an offline
    start is replayed with its old time), and an impossible one is replaced by `received_at`. So
    it is where the known offset makes a time impossible: the clock was set meanwhile.
    """
    if _is_told_by_offset(station, at, received_at):
        return min(_by_offset(station, at) or received_at, received_at)
    return at if _is_possible(at, received_at) else received_at


def is_known(station: Station, at: dt.datetime, received_at: dt.datetime) -> bool:
    """Whether `to_ours` can tell a moment; if not, it was at `received_at` or before."""
    return _is_told_by_offset(station, at, received_at) or _is_possible(at, received_at)


def shifted(moment: dt.datetime, by: dt.timedelta) -> dt.datetime | None:
    """Add a difference of clocks; None beyond the calendar: a station may say year 1 or 9999."""
    try:
        return moment + by
    except OverflowError:
        return None


def _is_told_by_offset(station: Station, at: dt.datetime, received_at: dt.datetime) -> bool:
    moment = _by_offset(station, at)
    return moment is not None and moment >= received_at - LONGEST_OFFLINE


def _is_possible(at: dt.datetime, received_at: dt.datetime) -> bool:
    return received_at - TRUSTED_PAST <= at <= received_at + TRUSTED_FUTURE


def _by_offset(station: Station, at: dt.datetime) -> dt.datetime | None:
    if station.clock_offset_s is None:
        return None
    return shifted(at, dt.timedelta(seconds=station.clock_offset_s))


def wire_time(at: dt.datetime) -> str:
    """A time with milliseconds and Z: the form that every station reads."""
    return at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
