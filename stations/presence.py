"""Which process holds a station's socket, and which socket is the live one (P7).

A process speaks for all of its sockets by one lease. Each accepted handshake gets the next fence
of its station: the socket with the highest one is the live one.
"""

import datetime as dt
import functools
import socket
import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from . import doorbell
from .models import GatewayProcess, Station
from .models.station import StationQuerySet
from .uptime import history

RENEW_EVERY = dt.timedelta(seconds=3)
SETTLING = dt.timedelta(seconds=30)
TOUCH_BATCH = 1000


class _Live(NamedTuple):
    """What a station's row says of its live socket."""

    fence: int
    owner: uuid.UUID | None


def renew(process_id: uuid.UUID, channel: str) -> None:
    """Take or renew the lease of a process; its row comes back if someone deleted it."""
    GatewayProcess.objects.update_or_create(
        pk=process_id,
        defaults={"lease_at": timezone.now()},
        create_defaults={
            "channel": channel,
            "host": socket.gethostname()[:120],
            "lease_at": timezone.now(),
        },
    )


@transaction.atomic
def give_up(process_id: uuid.UUID) -> None:
    """End a lease at once: the stations of this process are offline from now on.

    Those that are with another process by now are not touched.
    """
    stations, now = Station.objects.filter(owner_id=process_id), timezone.now()
    owned = stations.select_for_update(no_key=True).order_by("pk")
    history.note(list(owned.values_list("pk", flat=True)), is_on=False, at=now)
    stations.update(owner=None, last_seen_at=now)
    GatewayProcess.objects.filter(pk=process_id).delete()


def connect(*, station_pk: int, process_id: uuid.UUID, subprotocol: str) -> int:
    """Make the newest socket the live one; return its fence. A former owner is told.

    Called before the handshake is answered: who sees the socket open, sees it online.
    Raises Station.DoesNotExist.
    """
    with transaction.atomic():
        found = _fences(Station.objects.select_for_update(no_key=True), [station_pk])
        if station_pk not in found:
            raise Station.DoesNotExist
        _take_over(found, process_id, subprotocol)
    return found[station_pk].fence + 1


def connect_all(
    station_pks: Collection[int], *, process_id: uuid.UUID, subprotocol: str
) -> dict[int, int]:
    """Do as `connect` for many, in the caller's transaction; return the fence of each.

    A station whose row someone else has locked, or has deleted, is left out: it waits alone.
    """
    free = Station.objects.select_for_update(no_key=True, skip_locked=True)
    found = _fences(free, station_pks)
    _take_over(found, process_id, subprotocol)
    return {pk: live.fence + 1 for pk, live in found.items()}


def _fences(stations: StationQuerySet, station_pks: Collection[int]) -> dict[int, _Live]:
    """Lock stations, in the one order that all lock them in."""
    rows = stations.filter(pk__in=station_pks).order_by("pk")
    return {
        pk: _Live(fence, owner) for pk, fence, owner in rows.values_list("pk", "fence", "owner")
    }


def _take_over(live: dict[int, _Live], process_id: uuid.UUID, subprotocol: str) -> None:
    now = timezone.now()
    elsewhere = {pk: row for pk, row in live.items() if row.owner not in (None, process_id)}
    if elsewhere:
        owners = {pk: row.owner for pk, row in elsewhere.items() if row.owner is not None}
        history.note_lapse(owners, at=now)
    history.note(live, is_on=True, at=now)
    Station.objects.filter(pk__in=live).update(
        owner=process_id,
        fence=F("fence") + 1,
        subprotocol=subprotocol,
        connected_at=now,
        last_seen_at=now,
    )
    if elsewhere:
        _tell_former_owners(elsewhere)


def _tell_former_owners(live: dict[int, _Live]) -> None:
    """Tell each process once, after the commit, which of its stations have a newer socket."""
    owners = {row.owner for row in live.values() if row.owner is not None}
    channels = GatewayProcess.objects.filter(pk__in=owners).values_list("pk", "channel")
    for owner, channel in channels:
        fences = {pk: row.fence + 1 for pk, row in live.items() if row.owner == owner}
        transaction.on_commit(functools.partial(doorbell.tell_moved, channel, fences))


def disconnect(*, station_pk: int, fence: int) -> bool:
    """Clear the owner after a socket closed, unless a newer one took over; True if it was live."""
    live, now = Station.objects.filter(pk=station_pk, fence=fence), timezone.now()
    with transaction.atomic():
        was_live = bool(live.update(owner=None, last_seen_at=now))
        history.note([station_pk] if was_live else [], is_on=False, at=now)
    return was_live


def disconnect_all(fences: Mapping[int, int]) -> set[int]:
    """Do as `disconnect` for many, in the caller's transaction; return those that are done.

    A station whose row someone else has locked is left out: it waits alone.
    """
    free = Station.objects.select_for_update(no_key=True, skip_locked=True)
    found = _fences(free, fences)
    live = [pk for pk, row in found.items() if row.fence == fences[pk]]
    now = timezone.now()
    Station.objects.filter(pk__in=live).update(owner=None, last_seen_at=now)
    history.note(live, is_on=False, at=now)
    return set(found)


def moved(process_id: uuid.UUID, fences: dict[int, int]) -> list[int]:
    """Return which of these stations have a newer socket, or none that we own.

    It makes good for a message of the channel layer that was lost.
    """
    owned = Station.objects.filter(owner_id=process_id, pk__in=list(fences))
    live = dict(owned.values_list("pk", "fence"))
    return [pk for pk, fence in fences.items() if live.get(pk) != fence]


def touch(station_pks: Iterable[int]) -> None:
    """Note that these stations have just been heard from.

    A row that is locked is being written by someone who has heard of the station too.
    """
    heard = sorted(station_pks)
    for start in range(0, len(heard), TOUCH_BATCH):
        with transaction.atomic():
            free = Station.objects.select_for_update(no_key=True, skip_locked=True)
            chunk = free.filter(pk__in=heard[start : start + TOUCH_BATCH]).order_by("pk")
            pks = list(chunk.values_list("pk", flat=True))
            Station.objects.filter(pk__in=pks).update(last_seen_at=timezone.now())


def clear_strays(process_id: uuid.UUID, held: Collection[int]) -> None:
    """Clear stations that we own by the rows and hold no socket of: their leaving was lost.

    One that has just connected may not be in the caller's list yet.
    """
    settled = timezone.now() - SETTLING
    strays = Station.objects.filter(owner_id=process_id, connected_at__lt=settled)
    for station_pk, fence in strays.exclude(pk__in=held).values_list("pk", "fence"):
        disconnect(station_pk=station_pk, fence=fence)
