"""When a channel may speak: quiet hours by its own clock, and the beat of its digest. Pure."""

import datetime as dt
import zoneinfo


def quiet_until(
    now: dt.datetime,
    *,
    start: dt.time | None,
    end: dt.time | None,
    zone: zoneinfo.ZoneInfo,
) -> dt.datetime | None:
    """The end of the quiet hours that `now` lies in, in UTC; None outside of them.

    They may go over midnight. `start` belongs to them, `end` does not; without both, or where
    they are the same, there are none.
    """
    if start is None or end is None or start == end:
        return None
    local = now.astimezone(zone)
    for day in (local.date() - dt.timedelta(days=1), local.date()):
        begins = dt.datetime.combine(day, start, zone).astimezone(dt.UTC)
        last_day = day if end > start else day + dt.timedelta(days=1)
        ends = dt.datetime.combine(last_day, end, zone).astimezone(dt.UTC)
        if begins <= now < ends:
            return ends
    return None


def digest_at(now: dt.datetime, minutes: int) -> dt.datetime:
    """The next beat of a digest that comes every so many minutes, counted from midnight UTC."""
    step = dt.timedelta(minutes=minutes)
    midnight = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + step * ((now - midnight) // step + 1)
