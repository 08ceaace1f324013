"""Keep what a station said and no session explains, for an operator to resolve (P8)."""

import dataclasses
import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

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
    at = fact.at.isoformat() if fact.at else fact.received_at.isoformat()
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


def _keep(station: Station, kind: Orphan.Kind, *, key: str, cause: str, payload: Any) -> None:
    plain = json.loads(json.dumps(payload, cls=DjangoJSONEncoder).replace("\\u0000", "\\ufffd"))
    orphan, made = Orphan.objects.get_or_create(
        key=f"{kind}|{station.pk}|{key}"[:200],
        defaults={"kind": kind, "station": station, "payload": plain, "cause": cause[:200]},
    )
    if made:
        alerts.open_alert("orphan", str(orphan.pk), f"{station} sent {orphan}.", station=station)
