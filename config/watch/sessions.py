"""Rules about charges: silent ones, and those that were delivered past their limit."""

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal

from django.conf import settings
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce

from billing.models import Transfer
from billing.money import Minor, to_minor, to_text
from sessions_app.models import ChargingSession, SessionStatus
from sessions_app.services.limits import silent_after
from sessions_app.services.settle import OFFLINE, UNFUNDED
from stations.models import Alert, Station

from ..tallies import SETTLED
from .rule import Found, Look

PREFIX = "session:"
LIMIT = "limit"
"""Who asked for the stop of a session that reached its limit."""


def silences_begun(look: Look) -> Iterator[Found]:
    """Charges at a connected station of which no reading came for long enough.

    A station that is set to report more seldom has three of its intervals.
    """
    rows = (
        ChargingSession.objects.filter(
            status=SessionStatus.CHARGING,
            transaction_id__isnull=False,
            station__in=Station.objects.online(),
        )
        .annotate(heard_at=Coalesce(F("last_reading_at"), F("started_at")))
        .filter(heard_at__lte=look.ago(settings.CSMS_SILENT_ALERT_S))
        .select_related("station")
        .order_by("pk")
    )
    for row in rows:
        heard_at: dt.datetime = row.heard_at  # type: ignore[attr-defined]  # annotated
        if look.now - heard_at >= silent_after(row):
            text = (
                f"Transaction {row.transaction_id} at {row.station} has sent no reading since "
                f"{heard_at:%Y-%m-%d %H:%M} UTC."
            )
            yield Found(str(row.pk), text, row.station)


def silences_over(look: Look) -> Iterator[str]:
    """A reading has come since, or the charge has ended."""
    opened = {
        look.bare(cause): opened_at
        for cause, opened_at in look.open.values_list("cause", "opened_at")
    }
    rows = ChargingSession.objects.filter(pk__in=opened, status=SessionStatus.CHARGING)
    heard = {str(pk): at for pk, at in rows.values_list("pk", "last_reading_at")}
    for cause, opened_at in opened.items():
        heard_at = heard.get(cause)
        if cause not in heard or (heard_at and heard_at > opened_at):
            yield cause


def overshoots_begun(look: Look) -> Iterator[Found]:
    """Sessions that were settled since the last look and cost the operator too much.

    Each is told once, also when a correction comes later. An offline start without money and an
    amount that staff stated are no overshoot.
    """
    lost = Transfer.objects.filter(
        code=Transfer.Code.LOSS,
        created_at__gte=look.since - SETTLED,
        reference__startswith=PREFIX,
    )
    references = set(lost.order_by().values_list("reference", flat=True))
    ids = [uuid.UUID(reference.removeprefix(PREFIX)) for reference in references]
    sessions = ChargingSession.objects.filter(
        pk__in=ids, status=SessionStatus.COMPLETED, user__isnull=False, stated_minor=None
    )
    causes = [f"{look.kind}:{pk}" for pk in ids]
    before = Alert.objects.filter(kind=look.kind, cause__in=causes)
    told = set(before.values_list("cause", flat=True))
    least = to_minor(settings.CSMS_OVERSHOOT_ALERT)
    for row in sessions.select_related("station").order_by("pk"):
        over = overshoot_of(row)
        is_meant = not {OFFLINE, UNFUNDED} & set(row.flags)
        if is_meant and over >= least and f"{look.kind}:{row.pk}" not in told:
            amount = f"{to_text(over)} {row.currency}"
            text = f"A charge at {row.station} went past its limit by {amount}."
            yield Found(str(row.pk), text, row.station, detail={"minor": over})


def overshoots_over(look: Look) -> Iterator[str]:
    """A later charge there was stopped at its limit and cost the operator nothing."""
    later = ChargingSession.objects.filter(
        station=OuterRef("station"),
        requested_at__gt=OuterRef("opened_at"),
        status=SessionStatus.COMPLETED,
        stop_requested_by=LIMIT,
        energy_wh__gt=0,
    )
    newest = Subquery(later.order_by("-requested_at").values("pk")[:1])
    alerts = look.open.annotate(proof=newest).exclude(proof=None)
    proofs = dict(alerts.values_list("cause", "proof"))
    sessions = ChargingSession.objects.in_bulk(set(proofs.values()))
    for cause, proof in proofs.items():
        if overshoot_of(sessions[proof]) == 0:
            yield look.bare(cause)


def overshoot_of(session: ChargingSession) -> Minor:
    """What was delivered and not paid for, in minor units."""
    total = to_minor(Decimal(session.bill["total"])) if session.bill else Minor(0)
    return Minor(max(total - session.cost_minor, 0))
