"""Keep what a station said and no session explains, for an operator to resolve (P8)."""

import dataclasses
import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils import timezone

from billing.errors import Conflict
from billing.models import User
from stations import alerts
from stations.models import Station

from ..facts import Metered, Stopped
from ..models import Orphan


def keep_readings(station: Station, fact: Metered) -> None:
    """One row for all readings of an unknown transaction; the readings themselves are stored."""
    _keep(
        station,
        Orphan.Kind.READINGS,
        key=f"{fact.transaction_id}",
        cause=f"unknown transaction {fact.transaction_id}",
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
        payload=dataclasses.asdict(dataclasses.replace(fact, samples=fact.samples[-100:])),
    )


def keep_unreadable(
    station: Station, kind: Orphan.Kind, *, key: str, payload: Any, cause: str
) -> None:
    """A message that breaks the schema, as it came."""
    _keep(station, kind, key=key, cause=cause, payload=payload)


@transaction.atomic
def dismiss(*, orphan_id: int, actor: User, reason: str) -> Orphan:
    """Let staff decide that a message needs nothing. Raises Conflict when it was resolved."""
    orphan = Orphan.objects.select_for_update(no_key=True, of=("self",)).get(pk=orphan_id)
    if orphan.resolved_at:
        raise Conflict("This message is resolved already.")
    orphan.resolved_at, orphan.resolved_by, orphan.resolution = timezone.now(), actor, reason
    orphan.save(update_fields=["resolved_at", "resolved_by", "resolution"])
    alerts.resolve_alert("orphan", str(orphan.pk))
    return orphan


def _keep(station: Station, kind: Orphan.Kind, *, key: str, cause: str, payload: Any) -> None:
    plain = json.loads(json.dumps(payload, cls=DjangoJSONEncoder).replace("\\u0000", "\\ufffd"))
    orphan, made = Orphan.objects.get_or_create(
        key=f"{kind}|{station.pk}|{key}"[:200],
        defaults={"kind": kind, "station": station, "payload": plain, "cause": cause[:200]},
    )
    if made:
        alerts.open_alert("orphan", str(orphan.pk), f"{station} sent {orphan}.", station=station)
