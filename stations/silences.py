"""Silences: staff ask for quiet about a kind, a station or a site, for a time and a reason."""

import datetime as dt
import uuid

from django.db import transaction
from django.utils import timezone

from billing.errors import Invalid
from billing.models import User
from billing.reasons import stated

from . import audit
from .alerting.routing import hear_again
from .models import AlertSilence, Site, Station

LONGEST = dt.timedelta(days=90)


@transaction.atomic
def silence(
    *,
    until: dt.datetime,
    by: User,
    reason: str,
    kind: str = "",
    station: Station | None = None,
    site: Site | None = None,
) -> AlertSilence:
    """Tell nobody of these alerts until then; they open and resolve as ever.

    Raises Invalid where it is about nothing, is over already, or lasts for ever.
    """
    now = timezone.now()
    if not (kind or station or site):
        raise Invalid(fields={"kind": ["Name a kind, a station or a site."]})
    if not now < until <= now + LONGEST:
        text = f"It ends within {LONGEST.days} days, and not in the past."
        raise Invalid(fields={"until": [text]})
    row = AlertSilence.objects.create(
        kind=kind, station=station, site=site, until=until, reason=stated(reason), made_by=by
    )
    audit.record(by, audit.ADDITION, row, f"until {until:%Y-%m-%d %H:%M} UTC", reason=row.reason)
    return row


@transaction.atomic
def end_silence(*, silence_id: uuid.UUID, by: User, reason: str) -> None:
    """End a silence before its time: what is still open is told now. A repeat changes nothing."""
    reason = stated(reason)
    now = timezone.now()
    if AlertSilence.objects.current(now).filter(pk=silence_id).update(ended_at=now):
        row = AlertSilence.objects.get(pk=silence_id)
        hear_again(row)
        audit.record(by, audit.CHANGE, row, "ended", reason=reason)
