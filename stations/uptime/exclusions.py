"""What staff decide about uptime: excuse a time, take that back, compute a month again (P10)."""

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing.errors import Invalid, NotFound
from billing.models import User
from billing.reasons import stated

from .. import audit
from ..models import Station, UptimeExclusion
from . import months

LONGEST = dt.timedelta(days=366)


@transaction.atomic
def exclude(
    *,
    station: Station,
    connector_id: int | None,
    began_at: dt.datetime,
    ended_at: dt.datetime,
    category: str,
    by: User,
    reason: str,
) -> UptimeExclusion:
    """Excuse what of outages lies within a time, in the months that it touches, final or not.

    Raises Invalid for a time that is none, and an unknown connector.
    """
    _check(station, connector_id, began_at, ended_at)
    row = UptimeExclusion.objects.create(
        station=station,
        connector_id=connector_id,
        began_at=began_at,
        ended_at=ended_at,
        category=UptimeExclusion.Category(category),
        reason=stated(reason),
        made_by=by,
    )
    audit.record(by, audit.ADDITION, row, reason=reason)
    months.excuse(station, began_at, ended_at, timezone.now())
    return row


@transaction.atomic
def withdraw(*, exclusion_id: int, by: User, reason: str) -> UptimeExclusion:
    """Take an exclusion back; a repeat changes nothing. Raises NotFound."""
    rows = UptimeExclusion.objects.select_for_update(no_key=True, of=("self",))
    row = rows.select_related("station").filter(pk=exclusion_id).first()
    if row is None:
        raise NotFound("There is no such exclusion.")
    if row.withdrawn_at is None:
        row.withdrawn_at, row.withdrawn_by = timezone.now(), by
        row.save(update_fields=["withdrawn_at", "withdrawn_by"])
        audit.record(by, audit.CHANGE, row, "withdrawn", reason=stated(reason))
        months.excuse(row.station, row.began_at, row.ended_at, row.withdrawn_at)
    return row


@transaction.atomic
def recompute(*, station: Station, month: dt.date, by: User, reason: str) -> int:
    """Compute a month of a station again, also a final one; how many rows. Raises Invalid."""
    _check_known(months.window(month, station.zone)[0])
    audit.record(by, audit.CHANGE, station, f"uptime {month:%Y-%m}", reason=stated(reason))
    return months.compute([station.pk], month, timezone.now())


def _check(
    station: Station, connector_id: int | None, began_at: dt.datetime, ended_at: dt.datetime
) -> None:
    if ended_at <= began_at:
        raise Invalid(fields={"ended_at": ["It must be later than the beginning."]})
    if ended_at - began_at > LONGEST:
        raise Invalid(fields={"ended_at": ["This is longer than a year."]})
    if connector_id is not None and not station.connectors.filter(connector_id=connector_id):
        raise Invalid(fields={"connector_id": ["This station has no such connector."]})


def _check_known(began_at: dt.datetime) -> None:
    """What a month was computed from is kept for a time only; after it the month stays as it is."""
    if began_at < timezone.now() - dt.timedelta(days=settings.CSMS_STATUS_RETENTION_DAYS):
        raise Invalid(fields={"month": ["The statuses of that time are no longer kept."]})
