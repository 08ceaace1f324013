"""Is every day that was closed still what it was? The nightly runs keep each day's totals."""

import zoneinfo
from collections.abc import Iterator

from django.conf import settings

from billing.day_totals import closings
from billing.models import Account
from billing.money import to_text

from ..models import ReconcileRun
from .finding import Finding


def check_days() -> Iterator[Finding]:
    """The closing of each closed day follows from the transfers, and is zero in sum.

    A transfer that was added to the past, altered or deleted changes it.
    """
    zone = zoneinfo.ZoneInfo(settings.CSMS_TIME_ZONE)
    runs = ReconcileRun.objects.filter(time_zone=zone.key).exclude(totals=[]).order_by("day")
    moved = closings(zone)
    upcoming = next(moved, None)
    balances = dict.fromkeys(Account.Kind.values, 0)
    for run in runs.iterator():
        while upcoming and upcoming[0] <= run.day:
            balances, upcoming = upcoming[1], next(moved, None)
        yield from _compare(run, balances)


def _compare(run: ReconcileRun, balances: dict[str, int]) -> Iterator[Finding]:
    closed = {total["kind"]: total["closing_minor"] for total in run.totals}
    for kind, balance in balances.items():
        if closed.get(kind, 0) != balance:
            yield Finding(
                "day_changed",
                f"day {run.day}",
                f"The closing of {kind} is no longer what it was when the day was closed.",
                expected=to_text(closed.get(kind, 0)),
                found=to_text(balance),
            )
    if sum(balances.values()):
        yield Finding(
            "day_unbalanced",
            f"day {run.day}",
            "The closings of all accounts do not add up to zero.",
            expected=to_text(0),
            found=to_text(sum(balances.values())),
        )
