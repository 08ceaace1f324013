"""The uptime of each connector and month, computed for many stations at once and kept.

Down is what 23 CFR 680.116(b)(1) does not call up: not online, or neither available nor in use.
"""

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Exists, Min, OuterRef, QuerySet, Subquery

from ..models import (
    Connector,
    ConnectorStatus,
    Station,
    StationChange,
    UptimeExclusion,
    UptimeMonth,
)
from .spans import Span, merge, overlap, total_s, while_true, without

INOPERATIVE = (Connector.Status.FAULTED, Connector.Status.UNAVAILABLE)
FINAL_AFTER = dt.timedelta(days=3)
"""How long after its end a month is open: for exclusions, and for a worker that was away."""
BACK = 12
"""Months that are computed after the fact, where nobody has yet."""
BATCH = 100
MAX_OUTAGES = 500
"""Outages that are listed a month; what a flapping station has more is only counted."""
WRITTEN = (
    *("time_zone", "counted_s", "off_sale_s", "offline_s", "inoperative_s", "outage_s"),
    *("excluded_s", "outage_count", "outages", "is_final", "computed_at"),
)

Points = list[tuple[dt.datetime, bool]]
Kind = StationChange.Kind


@dataclass(slots=True)
class Past:
    """What is known of some stations in a span of time: states before it, and changes in it."""

    first_seen: dict[int, dt.datetime] = field(default_factory=dict)
    changes: dict[tuple[int, str], Points] = field(default_factory=lambda: defaultdict(list))
    faults: dict[tuple[int, int], Points] = field(default_factory=lambda: defaultdict(list))
    exclusions: dict[int, list[UptimeExclusion]] = field(default_factory=lambda: defaultdict(list))


def first_day(day: dt.date) -> dt.date:
    return day.replace(day=1)


def next_month(month: dt.date) -> dt.date:
    return first_day(month + dt.timedelta(days=32))


def window(month: dt.date, zone: zoneinfo.ZoneInfo) -> Span:
    """A month from its first midnight to its last, in UTC: 23 or 25 hours are a day, too."""
    ends = (dt.datetime(day.year, day.month, 1, tzinfo=zone) for day in (month, next_month(month)))
    began, ended = (end.astimezone(dt.UTC) for end in ends)
    return began, ended


def run_due(now: dt.datetime) -> int:
    """Compute what is not final of this month and the last ones; return how many rows."""
    written = 0
    month = first_day((now + dt.timedelta(hours=14)).date())  # where it is first
    for _ in range(BACK + 1):
        final = UptimeMonth.objects.filter(station=OuterRef("pk"), month=month, is_final=True)
        stations = Station.objects.filter(~Exists(final)).order_by("pk")
        pks = list(stations.values_list("pk", flat=True))
        for start in range(0, len(pks), BATCH):
            written += compute(pks[start : start + BATCH], month, now)
        month = first_day(month - dt.timedelta(days=1))
    return written


def compute(station_pks: Collection[int], month: dt.date, now: dt.datetime) -> int:
    """Compute a month of these stations and store it over what was stored; how many rows."""
    stations = Station.objects.filter(pk__in=station_pks).prefetch_related("connectors")
    windows = {row.pk: window(month, row.zone) for row in stations}
    if not windows:
        return 0
    past = _past(station_pks, _hull(windows.values()))
    rows = [
        row for station in stations for row in _rows(station, month, windows[station.pk], past, now)
    ]
    with transaction.atomic():
        UptimeMonth.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["station", "connector_id", "month"],
            update_fields=WRITTEN,
        )
    return len(rows)


def excuse(station: Station, began_at: dt.datetime, ended_at: dt.datetime, now: dt.datetime) -> int:
    """Bring stored months that this time touches to what is excused now; how many rows.

    What their outages were stays: it may be known no more from what it was computed from.
    """
    first = first_day(began_at.astimezone(station.zone).date())
    last = first_day(ended_at.astimezone(station.zone).date())
    rows = UptimeMonth.objects.select_for_update(no_key=True).filter(
        station=station, month__gte=first, month__lte=last
    )
    held = list(UptimeExclusion.objects.filter(station=station, withdrawn_at__isnull=True))
    changed = [row for row in rows if row.outage_count == len(row.outages)]
    for row in changed:
        excused = excused_at(row.connector_id, held)
        outages = [_span_of(one) for one in row.outages]
        row.outages = [
            {**one, "excluded_s": total_s(overlap([span], excused))}
            for one, span in zip(row.outages, outages, strict=True)
        ]
        row.excluded_s, row.computed_at = total_s(overlap(outages, excused)), now
    UptimeMonth.objects.bulk_update(changed, ["outages", "excluded_s", "computed_at"])
    for month in {row.month for row in rows if row not in changed}:
        compute([station.pk], month, now)  # it has more outages than are listed
    return len(rows)


def excused_at(connector_id: int, exclusions: Iterable[UptimeExclusion]) -> list[Span]:
    return merge(
        (one.began_at, one.ended_at)
        for one in exclusions
        if one.connector_id in (None, connector_id)
    )


def _span_of(outage: dict[str, Any]) -> Span:
    return (
        dt.datetime.fromisoformat(outage["began_at"]),
        dt.datetime.fromisoformat(outage["ended_at"]),
    )


def _hull(windows: Collection[Span]) -> Span:
    return min(began for began, _ in windows), max(ended for _, ended in windows)


def _past(station_pks: Collection[int], hull: Span) -> Past:
    """Read it by a handful of queries, however many stations there are."""
    past = Past()
    changes = StationChange.objects.filter(station__in=station_pks)
    seen = changes.filter(kind=Kind.PRESENCE).order_by().values("station_id")
    past.first_seen = dict(seen.annotate(first=Min("at")).values_list("station_id", "first"))
    _read_before(past, station_pks, hull[0])
    within = changes.filter(at__gte=hull[0], at__lt=hull[1]).order_by("at", "pk")
    for pk, kind, at, is_on in within.values_list("station_id", "kind", "at", "is_on").iterator():
        past.changes[pk, kind].append((at, is_on))
    statuses = ConnectorStatus.objects.filter(
        station__in=station_pks, received_at__gte=hull[0], received_at__lt=hull[1]
    ).order_by("received_at", "pk")
    facts = statuses.values_list("station_id", "connector_id", "received_at", "status")
    for pk, number, at, status in facts.iterator():
        past.faults[pk, number].append((at, status in INOPERATIVE))
    held = UptimeExclusion.objects.filter(station__in=station_pks, withdrawn_at__isnull=True)
    for exclusion in held.filter(began_at__lt=hull[1], ended_at__gt=hull[0]):
        past.exclusions[exclusion.station_id].append(exclusion)
    return past


def _read_before(past: Past, station_pks: Collection[int], start: dt.datetime) -> None:
    """The states at `start`: of each kind and connector the last change before it."""
    changes = StationChange.objects.filter(station=OuterRef("pk"), at__lt=start)
    statuses = ConnectorStatus.objects.filter(received_at__lt=start)
    whole = statuses.filter(station=OuterRef("pk"), connector_id=0)
    stations = Station.objects.filter(pk__in=station_pks).annotate(
        was_present=_last(changes.filter(kind=Kind.PRESENCE), "-at", "is_on"),
        was_on_sale=_last(changes.filter(kind=Kind.SALE), "-at", "is_on"),
        was=_last(whole, "-received_at", "status"),
    )
    for pk, *states in stations.values_list("pk", "was_present", "was_on_sale", "was"):
        for kind, is_on in zip((Kind.PRESENCE, Kind.SALE), states[:2], strict=True):
            if is_on is not None:
                past.changes[pk, kind].append((start, is_on))
        past.faults[pk, 0].append((start, states[2] in INOPERATIVE))
    own = statuses.filter(station=OuterRef("station"), connector_id=OuterRef("connector_id"))
    connectors = Connector.objects.filter(station__in=station_pks).order_by()
    before = connectors.annotate(was=_last(own, "-received_at", "status"))
    for row in before.only("station_id", "connector_id", "status", "status_at"):
        status = row.was
        if status is None and row.status_at is not None and row.status_at < start:
            status = row.status  # older than what is kept of the history
        past.faults[row.station_id, row.connector_id].append((start, status in INOPERATIVE))


def _last(rows: QuerySet[Any], order: str, column: str) -> Subquery:
    return Subquery(rows.order_by(order, "-pk").values(column)[:1])


def _rows(
    station: Station, month: dt.date, whole: Span, past: Past, now: dt.datetime
) -> Iterator[UptimeMonth]:
    first_seen = past.first_seen.get(station.pk)
    if first_seen is None or first_seen >= min(whole[1], now):
        return  # before its commissioning there is nothing to count
    seen = (max(whole[0], first_seen), min(whole[1], now))
    off_sale = without([seen], _while(past.changes[station.pk, Kind.SALE], seen, at_first=True))
    counted = without([seen], off_sale)
    online = _while(past.changes[station.pk, Kind.PRESENCE], seen, at_first=False)
    offline = without(counted, online)
    whole_station = _while(past.faults[station.pk, 0], seen, at_first=False)
    for connector in station.connectors.all():
        number = connector.connector_id
        broken = _while(past.faults[station.pk, number], seen, at_first=False)
        inoperative = without(overlap(merge(broken, whole_station), counted), offline)
        excused = excused_at(number, past.exclusions[station.pk])
        outages = merge(offline, inoperative)
        yield UptimeMonth(
            station=station,
            connector_id=number,
            month=month,
            time_zone=station.zone.key,
            counted_s=total_s(counted),
            off_sale_s=total_s(off_sale),
            offline_s=total_s(offline),
            inoperative_s=total_s(inoperative),
            outage_s=total_s(outages),
            excluded_s=total_s(overlap(outages, excused)),
            outage_count=len(outages),
            outages=_listed(outages, offline, excused),
            is_final=now >= whole[1] + FINAL_AFTER,
            computed_at=now,
        )


def _while(points: Sequence[tuple[dt.datetime, bool]], seen: Span, *, at_first: bool) -> list[Span]:
    """When a state held within `seen`; `at_first` is what it was before the first that is known."""
    before = [is_true for at, is_true in points if at <= seen[0]]
    within = [(at, is_true) for at, is_true in points if seen[0] < at < seen[1]]
    return while_true(within, at_first=before[-1] if before else at_first, window=seen)


def _listed(
    outages: list[Span], offline: list[Span], excused: list[Span]
) -> list[dict[str, object]]:
    """The outages as they are shown, the latest of too many."""
    return [
        {
            "began_at": began.isoformat(),
            "ended_at": ended.isoformat(),
            "offline_s": total_s(overlap([(began, ended)], offline)),
            "outage_s": total_s([(began, ended)]),
            "excluded_s": total_s(overlap([(began, ended)], excused)),
        }
        for began, ended in outages[-MAX_OUTAGES:]
    ]
