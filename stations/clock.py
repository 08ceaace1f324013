"""Whose clock says what: the offset between a station's clock and ours (design section 4).

The offset is the least (ours − station's) over the messages since the last boot: a replayed old
message only makes the difference larger, so the least is that of a live one. A clock that is set
back without a boot makes it larger too, but then it stays the same: see `risen`.
"""

import datetime as dt
from collections.abc import Sequence

from django.db.models import Q

from .models import Station

TRUSTED_PAST = dt.timedelta(days=7)
TRUSTED_FUTURE = dt.timedelta(minutes=5)
LONGEST_OFFLINE = dt.timedelta(days=365)
"""No station keeps a message for longer: what seems older was stamped before its clock was set."""
STEP_S = 0.5
"""A smaller improvement of the offset is not worth a write."""
STEADY_S = 5.0
"""Live messages of one clock differ by no more: what the network takes, and whole seconds."""
STEADY_FOR = dt.timedelta(minutes=10)
STEADY_COUNT = 5


def risen(known_s: float, heard: Sequence[tuple[dt.datetime, float]]) -> float | None:
    """The offset of a clock that was set back since `known_s` was learnt; None when it was not.

    `heard` is when each of the last messages came and its (ours − station's), in that order.
    Replayed messages come faster than they were made, so their differences shrink; those of live
    ones stay. So the latest must be larger than what is known, and the same for minutes on end.
    Known not to be seen: a station that replays for as long, one message each time that it makes
    one. Its next live message puts that right.
    """
    steady: list[tuple[dt.datetime, float]] = []
    for moment, difference_s in reversed(heard):
        told = [*(seconds for _, seconds in steady), difference_s]
        if difference_s <= known_s + STEADY_S or max(told) - min(told) > STEADY_S:
            break
        steady.append((moment, difference_s))
    if len(steady) < STEADY_COUNT or steady[0][0] - steady[-1][0] < STEADY_FOR:
        return None
    return min(seconds for _, seconds in steady)


def learn(station: Station, at: dt.datetime, received_at: dt.datetime) -> bool:
    """Learn from one message that said `at` and came at `received_at`; the caller stores it.

    False where that tells nothing new.
    """
    offset_s = (received_at - at).total_seconds()
    known = station.clock_offset_s
    if known is not None and offset_s > known - STEP_S:
        return False
    station.clock_offset_s = offset_s
    return True


def observe(station: Station, at: dt.datetime, received_at: dt.datetime) -> None:
    """Do as `learn`, and store it where nothing better is known meanwhile."""
    if learn(station, at, received_at):
        Station.objects.filter(pk=station.pk).filter(
            Q(clock_offset_s__isnull=True) | Q(clock_offset_s__gt=station.clock_offset_s)
        ).update(clock_offset_s=station.clock_offset_s)


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
