"""Keep what a station said and no session explains, for an operator to resolve (P8)."""

import dataclasses
import datetime as dt
import json
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from billing.models import User
from billing.reasons import stated
from stations import alerts
from stations.models import Station

from ..errors import NotAssignable, OrphanNotFound, OrphanResolved
from ..facts import Metered, Sample, Stopped
from ..models import ChargingSession, Orphan

ALERT = "orphan"


def keep_readings(station: Station, fact: Metered) -> None:
    """One row for all readings of an unknown transaction; the readings themselves are stored.

    Readings that follow those which were assigned are another question; those that follow what
    was dismissed are not.
    """
    cause = f"unknown transaction {fact.transaction_id}"
    assigned = station.orphans.filter(
        kind=Orphan.Kind.READINGS, cause=cause, session__isnull=False
    ).count()
    _keep(
        station,
        Orphan.Kind.READINGS,
        key=f"{fact.transaction_id}|{assigned}",
        cause=cause,
        payload=dataclasses.asdict(fact),
    )


def keep_stop(station: Station, fact: Stopped) -> None:
    """One row a StopTransaction of an unknown transaction; the same one again changes nothing."""
    at = fact.at.isoformat() if fact.at else ""
    _keep(
        station,
        Orphan.Kind.STOP,
        key=f"{fact.transaction_id}|{at}|{fact.meter_stop_wh}",
        cause=f"unknown transaction {fact.transaction_id}",
        payload=dataclasses.asdict(fact),
    )


def keep_late_stop(session: ChargingSession, fact: Stopped, *, cause: str) -> None:
    """A stop that would correct a completed session, and cannot be true."""
    _keep(
        session.station,
        Orphan.Kind.STOP,
        key=f"late|{session.pk}",
        cause=f"late stop of transaction {session.transaction_id}: {cause}",
        payload=dataclasses.asdict(fact),
        session=session,
    )


def keep_unreadable(
    station: Station, kind: Orphan.Kind, *, key: str, payload: Any, cause: str
) -> None:
    """A message that breaks the schema, as it came."""
    _keep(station, kind, key=key, cause=cause, payload=payload)


@transaction.atomic
def dismiss(*, orphan_id: int, actor: User, reason: str) -> Orphan:
    """Let staff decide that a message needs nothing.

    Raises OrphanNotFound, OrphanResolved, Invalid without a reason.
    """
    orphan = locked(orphan_id)
    resolve(orphan, actor=actor, reason=reason)
    return orphan


def locked(orphan_id: int) -> Orphan:
    """Lock an open message for this transaction, after its session. Raises OrphanNotFound,
    OrphanResolved.
    """
    rows = Orphan.objects.select_for_update(no_key=True, of=("self",))
    orphan = rows.select_related("station").filter(pk=orphan_id).first()
    if orphan is None:
        raise OrphanNotFound
    if orphan.resolved_at:
        raise OrphanResolved
    return orphan


def resolve(
    orphan: Orphan, *, actor: User, reason: str, session: ChargingSession | None = None
) -> None:
    """Note who decided about a locked message and why, and close its alert."""
    orphan.session = session or orphan.session
    orphan.resolved_at, orphan.resolved_by = timezone.now(), actor
    orphan.resolution = stated(reason)
    orphan.save(update_fields=["session", "resolved_at", "resolved_by", "resolution"])
    alerts.resolve_alert(ALERT, str(orphan.pk))


def stop_of(orphan: Orphan) -> Stopped:
    """The StopTransaction that was kept. Raises NotAssignable when it could not be read."""
    kept = orphan.payload
    if "received_at" not in kept:
        raise NotAssignable("This message could not be read: settle the session on its meter.")
    return Stopped(
        transaction_id=kept["transaction_id"],
        meter_stop_wh=_decimal(kept["meter_stop_wh"]),
        at=dt.datetime.fromisoformat(kept["at"]) if kept["at"] else None,
        received_at=dt.datetime.fromisoformat(kept["received_at"]),
        id_tag=kept["id_tag"],
        reason=kept["reason"],
        samples=tuple(_sample_of(sample) for sample in kept["samples"]),
    )


def _sample_of(kept: dict[str, Any]) -> Sample:
    return Sample(
        at=dt.datetime.fromisoformat(kept["at"]),
        register_wh=_decimal(kept["register_wh"]),
        power_w=_decimal(kept["power_w"]),
        soc=_decimal(kept["soc"]),
        context=kept["context"],
        flags=tuple(kept["flags"]),
        is_kwh=kept.get("is_kwh", False),
        export_wh=_decimal(kept.get("export_wh")),
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _keep(
    station: Station,
    kind: Orphan.Kind,
    *,
    key: str,
    cause: str,
    payload: Any,
    session: ChargingSession | None = None,
) -> None:
    plain = json.loads(json.dumps(payload, default=_text).replace("\\u0000", "\\ufffd"))
    orphan, made = Orphan.objects.get_or_create(
        key=f"{kind}|{station.pk}|{key}"[:200],
        defaults={
            "kind": kind,
            "station": station,
            "payload": plain,
            "cause": cause[:200],
            "session": session,
        },
    )
    if made:
        alerts.open_alert(ALERT, str(orphan.pk), _told(orphan), station=station)


def _told(orphan: Orphan) -> str:
    """For the alert; a cause may be a sentence already."""
    cause = orphan.cause.rstrip(".")
    return f"{orphan.station} sent a message for review: {cause}."


def _text(value: Any) -> str:
    """Times whole, to the microsecond: they are read again."""
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)
