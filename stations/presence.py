"""Which process holds a station's socket, and which socket is the live one (P7).

A process speaks for all of its sockets by one lease. Each accepted handshake gets the next fence
of its station: the socket with the highest one is the live one.
"""

import datetime as dt
import socket
import uuid
from collections.abc import Collection, Iterable

from django.db import transaction
from django.utils import timezone

from . import doorbell
from .models import GatewayProcess, Station

RENEW_EVERY = dt.timedelta(seconds=3)
SETTLING = dt.timedelta(seconds=30)


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
    stations = Station.objects.filter(owner_id=process_id)
    stations.update(owner=None, last_seen_at=timezone.now())
    GatewayProcess.objects.filter(pk=process_id).delete()


@transaction.atomic
def connect(*, station_pk: int, process_id: uuid.UUID, subprotocol: str) -> int:
    """Make the newest socket the live one; return its fence. A former owner is told.

    Called before the handshake is answered: who sees the socket open, sees it online.
    """
    station = (
        Station.objects.select_for_update(of=("self",), no_key=True)
        .select_related("owner")
        .get(pk=station_pk)
    )
    former = station.owner
    station.owner_id = process_id
    station.fence += 1
    station.subprotocol = subprotocol
    station.connected_at = station.last_seen_at = timezone.now()
    station.save(update_fields=["owner", "fence", "subprotocol", "connected_at", "last_seen_at"])
    if former is not None and former.pk != process_id:
        channel, fence = former.channel, station.fence
        transaction.on_commit(lambda: doorbell.tell_moved(channel, station_pk, fence))
    return station.fence


def disconnect(*, station_pk: int, fence: int) -> bool:
    """Clear the owner after a socket closed, unless a newer one took over; True if it was live."""
    live = Station.objects.filter(pk=station_pk, fence=fence)
    return bool(live.update(owner=None, last_seen_at=timezone.now()))


def moved(process_id: uuid.UUID, fences: dict[int, int]) -> list[int]:
    """Return which of these stations have a newer socket, or none that we own.

    It makes good for a message of the channel layer that was lost.
    """
    owned = Station.objects.filter(owner_id=process_id, pk__in=list(fences))
    live = dict(owned.values_list("pk", "fence"))
    return [pk for pk, fence in fences.items() if live.get(pk) != fence]


def touch(station_pks: Iterable[int]) -> None:
    """Note that these stations have just been heard from."""
    Station.objects.filter(pk__in=list(station_pks)).update(last_seen_at=timezone.now())


def clear_strays(process_id: uuid.UUID, held: Collection[int]) -> None:
    """Clear stations that we own by the rows and hold no socket of: their leaving was lost.

    One that has just connected may not be in the caller's list yet.
    """
    settled = timezone.now() - SETTLING
    strays = Station.objects.filter(owner_id=process_id, connected_at__lt=settled)
    for station_pk, fence in strays.exclude(pk__in=held).values_list("pk", "fence"):
        disconnect(station_pk=station_pk, fence=fence)
