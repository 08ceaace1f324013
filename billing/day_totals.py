"""What moved on each kind of account in a local day, derived from the transfers alone.

A credit raises a balance and a debit lowers it, so all accounts together are always zero.
"""

import datetime as dt
import itertools
import zoneinfo
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet, Sum, Value
from django.db.models.functions import TruncDate

from .models import Account, Transfer

MOVING = (Transfer.Kind.POSTED, Transfer.Kind.CAPTURED)


@dataclass(frozen=True, slots=True)
class DayTotal:
    """One kind of account in one day, in minor units; all customers together are one kind."""

    kind: Account.Kind
    opening_minor: int
    debits_minor: int
    credits_minor: int

    @property
    def closing_minor(self) -> int:
        return self.opening_minor + self.credits_minor - self.debits_minor


def day_totals(day: dt.date, zone: zoneinfo.ZoneInfo) -> list[DayTotal]:
    """Sum up the day of this zone for every kind of account, by one query."""
    start, end = bounds(day, zone)
    opening: defaultdict[str, int] = defaultdict(int)
    moved = {"credit": defaultdict[str, int](int), "debit": defaultdict[str, int](int)}
    sides = _side("debit", start, end).union(_side("credit", start, end), all=True)
    for kind, side, before, within in sides:
        opening[kind] += before if side == "credit" else -before
        moved[side][kind] += within
    return [
        DayTotal(kind, opening[kind], moved["debit"][kind], moved["credit"][kind])
        for kind in Account.Kind
    ]


def closings(zone: zoneinfo.ZoneInfo) -> Iterator[tuple[dt.date, dict[str, int]]]:
    """Yield each local day on which something moved, with the closing of every kind, in order."""
    balances = dict.fromkeys(Account.Kind.values, 0)
    days = _side_by_day("debit", zone).union(_side_by_day("credit", zone), all=True)
    by_day = itertools.groupby(sorted(days), key=lambda row: row[0])
    for day, rows in by_day:
        for _, kind, side, amount in rows:
            balances[kind] += amount if side == "credit" else -amount
        yield day, dict(balances)


def bounds(day: dt.date, zone: zoneinfo.ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    """The moments at which a local day begins and ends: 23 or 25 hours where clocks change."""
    start, end = (
        dt.datetime.combine(date, dt.time.min, zone).astimezone(dt.UTC)
        for date in (day, day + dt.timedelta(days=1))
    )
    return start, end


def _side(side: str, start: dt.datetime, end: dt.datetime) -> QuerySet[Transfer, Any]:
    """(kind, side, amount before the day, amount in it) of each kind on this side of transfers."""
    moved = Transfer.objects.filter(kind__in=MOVING, created_at__lt=end).order_by()
    return (
        moved.annotate(side=Value(side))
        .values_list(f"{side}__kind", "side")
        .annotate(
            before=Sum("amount_minor", filter=Q(created_at__lt=start), default=0),
            within=Sum("amount_minor", filter=Q(created_at__gte=start), default=0),
        )
    )


def _side_by_day(side: str, zone: zoneinfo.ZoneInfo) -> QuerySet[Transfer, Any]:
    """(day, kind, side, amount) of each kind on this side of transfers."""
    moved = Transfer.objects.filter(kind__in=MOVING).order_by()
    return (
        moved.annotate(day=TruncDate("created_at", tzinfo=zone), side=Value(side))
        .values_list("day", f"{side}__kind", "side")
        .annotate(amount=Sum("amount_minor"))
    )
