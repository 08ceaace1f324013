"""Write down when stations come and go, and when they are put on sale and taken off.

A socket that opens or closes writes one row, a batch of them one statement. A process that died
writes nothing: its stations were there until its lease ran out, which the next handshake or the
worker, whoever is first, writes down.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping

from django.db.models import OuterRef, Subquery

from ..models import GatewayProcess, Station, StationChange
from ..models.station import LEASE

Kind = StationChange.Kind


def note(station_pks: Iterable[int], *, is_on: bool, at: dt.datetime) -> None:
    """They connected, or left, at this moment; in the caller's transaction."""
    StationChange.objects.bulk_create(
        [StationChange(station_id=pk, kind=Kind.PRESENCE, is_on=is_on, at=at) for pk in station_pks]
    )


def note_sale(station: Station, *, at: dt.datetime) -> None:
    """Write down whether it is on sale from now on."""
    StationChange.objects.create(station=station, kind=Kind.SALE, is_on=station.enabled, at=at)


def note_lapse(owners: Mapping[int, uuid.UUID], *, at: dt.datetime) -> None:
    """Before stations connect: those whose former process had died were away since its lease."""
    dead = GatewayProcess.objects.filter(pk__in=set(owners.values()), lease_at__lt=at - LEASE)
    ends = {pk: lease_at + LEASE for pk, lease_at in dead.values_list("pk", "lease_at")}
    StationChange.objects.bulk_create(
        [
            StationChange(station_id=pk, kind=Kind.PRESENCE, is_on=False, at=ends[owner])
            for pk, owner in owners.items()
            if owner in ends
        ]
    )


def run_due(now: dt.datetime) -> int:
    """Write down what a process that died, or one that was thought dead, did not; how much."""
    latest = StationChange.objects.filter(station=OuterRef("pk"), kind=Kind.PRESENCE)
    known = Station.objects.annotate(
        was_on=Subquery(latest.order_by("-at", "-pk").values("is_on")[:1])
    )
    dead = known.filter(owner__lease_at__lte=now - LEASE, was_on=True)
    lost = [
        StationChange(station_id=pk, kind=Kind.PRESENCE, is_on=False, at=lease_at + LEASE)
        for pk, lease_at in dead.values_list("pk", "owner__lease_at")
    ]
    alive = known.filter(owner__lease_at__gt=now - LEASE, was_on=False)
    back = [
        StationChange(station_id=pk, kind=Kind.PRESENCE, is_on=True, at=now)
        for pk in alive.values_list("pk", flat=True)
    ]
    StationChange.objects.bulk_create(lost + back)
    return len(lost) + len(back)
