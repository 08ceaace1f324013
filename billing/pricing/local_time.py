"""Where a station's local clock changes what applies: times of day and changes of the clock."""

import datetime as dt
import zoneinfo
from bisect import bisect_left
from collections.abc import Collection, Iterator

DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)


def clock_moments(
    start: dt.datetime,
    end: dt.datetime,
    times: Collection[dt.time],
    zone: zoneinfo.ZoneInfo,
) -> Iterator[dt.datetime]:
    """Yield, in UTC, when the local clock shows one of `times` between two moments.

    A time that a change of the clock repeats comes twice, one that it skips not at all; the
    change itself is always yielded, because the clock jumps there. In no order, and some
    moments more than once.
    """
    day = start.astimezone(zone).date()
    last = end.astimezone(zone).date()
    while day <= last:
        yield from _clock_changes(day, zone)
        for time in times:
            yield from _instants(day, time, zone)
        day += DAY


def _instants(day: dt.date, time: dt.time, zone: zoneinfo.ZoneInfo) -> Iterator[dt.datetime]:
    for fold in (0, 1):
        instant = _instant(day, time, zone, fold=fold)
        if instant.astimezone(zone).time() == time:  # else the clock skips it
            yield instant


def _instant(day: dt.date, time: dt.time, zone: zoneinfo.ZoneInfo, *, fold: int = 0) -> dt.datetime:
    return dt.datetime.combine(day, time, zone).replace(fold=fold).astimezone(dt.UTC)


def _clock_changes(day: dt.date, zone: zoneinfo.ZoneInfo) -> Iterator[dt.datetime]:
    """Yield when the offset from UTC changes on a local day, found by halving."""
    begin = _instant(day, dt.time.min, zone) - SECOND
    before = begin.astimezone(zone).utcoffset()
    seconds = (_instant(day + DAY, dt.time.min, zone) - begin) // SECOND

    def has_changed(after: int) -> bool:
        return (begin + after * SECOND).astimezone(zone).utcoffset() != before

    if has_changed(seconds):
        yield begin + bisect_left(range(seconds), True, key=has_changed) * SECOND
