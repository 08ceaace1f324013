"""Uptime as it is asked for: each connector, each site and the network, over one month or more."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Aggregate, CharField, Count, Q, QuerySet, Sum, Value
from django.db.models.functions import Concat

from ..models import UptimeMonth
from ..models.uptime import percent

SUMS = (
    *("counted_s", "off_sale_s", "offline_s", "inoperative_s", "outage_s", "excluded_s"),
    "outage_count",
)
TEXT = CharField()
_NAMES = {
    "station__station_id": "station_id",
    "station__site": "site_id",
    "station__site__name": "site_name",
    "connector_id": "connector_id",
}


@dataclass(frozen=True, slots=True)
class Uptime:
    """Seconds added up, and what follows of them; `is_final` when none of it may still move."""

    counted_s: int = 0
    off_sale_s: int = 0
    offline_s: int = 0
    inoperative_s: int = 0
    outage_s: int = 0
    excluded_s: int = 0
    outage_count: int = 0
    connectors: int = 0
    is_final: bool = False
    station_id: str | None = None
    site_id: int | None = None
    site_name: str | None = None
    connector_id: int | None = None

    @property
    def uptime_percent(self) -> Decimal | None:
        """23 CFR 680.116(b)(3): (T − (T_outage − T_excluded)) / T."""
        return percent(self.counted_s - (self.outage_s - self.excluded_s), self.counted_s)

    @property
    def reliability_percent(self) -> Decimal | None:
        """The Public Charge Point Regulations 2023, reg. 7: of the time in which the status is
        known, what is working. Nobody is excused, and who is offline is not measured."""
        known_s = self.counted_s - self.offline_s
        return percent(known_s - self.inoperative_s, known_s)


def rows_of(
    month: dt.date, *, months: int = 1, station_id: str = "", site_id: int | None = None
) -> QuerySet[UptimeMonth]:
    """The rows of the `months` that end with `month`."""
    first = month
    for _ in range(months - 1):
        first = (first - dt.timedelta(days=1)).replace(day=1)
    rows = UptimeMonth.objects.filter(month__gte=first, month__lte=month)
    if station_id:
        rows = rows.filter(station__identity=station_id.casefold())
    return rows if site_id is None else rows.filter(station__site=site_id)


def by_connector(rows: QuerySet[UptimeMonth]) -> list[Uptime]:
    keys = ("station__station_id", "station__site", "station__site__name", "connector_id")
    return _added(rows, *keys)


def by_site(rows: QuerySet[UptimeMonth]) -> list[Uptime]:
    """Each site, and last the stations that are at none."""
    found = _added(rows, "station__site", "station__site__name")
    return sorted(found, key=_by_name)


def _by_name(one: Uptime) -> tuple[bool, str, int]:
    return one.site_id is None, one.site_name or "", one.site_id or 0


def of_network(rows: QuerySet[UptimeMonth]) -> Uptime:
    return Uptime(**_facts(rows.aggregate(**_sums())))


def _sums() -> dict[str, Aggregate]:
    sums: dict[str, Aggregate] = {f"sum_{name}": Sum(name) for name in SUMS}
    place = Concat("station", Value("/"), "connector_id", output_field=TEXT)
    sums["connectors"] = Count(place, distinct=True)
    sums["open_rows"] = Count("pk", filter=Q(is_final=False))
    return sums


def _added(rows: QuerySet[UptimeMonth], *keys: str) -> list[Uptime]:
    """The sums of the rows that have these in common."""
    grouped = rows.order_by(*keys).values(*keys).annotate(**_sums())
    return [
        Uptime(**{_NAMES[key]: found[key] for key in keys}, **_facts(found)) for found in grouped
    ]


def _facts(found: dict[str, Any]) -> dict[str, Any]:
    sums = {name: found[f"sum_{name}"] or 0 for name in SUMS}
    is_final = found["connectors"] > 0 and found["open_rows"] == 0
    return {**sums, "connectors": found["connectors"], "is_final": is_final}
