"""The doorbell: tell the process that owns a station's socket that a command waits.

It may be lost at any time: the owner also looks by itself. So it never raises, and it is never
rung inside a transaction.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from asgiref.sync import async_to_sync
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.db import transaction
from redis.exceptions import RedisError

from .models import Station

logger = logging.getLogger(__name__)

_at_home: dict[str, Callable[[dict[str, Any]], None]] = {}
"""Who answers which channel in this process: a bell within one process needs no layer, and the
layer in memory must not be rung from another thread."""


def answer_at(channel: str, take: Callable[[dict[str, Any]], None]) -> None:
    """Let `take` have what is rung at a channel of this process, from whatever thread."""
    _at_home[channel] = take


def leave(channel: str) -> None:
    """Take back what `answer_at` said."""
    _at_home.pop(channel, None)


def ring_on_commit(station_pk: int) -> None:
    """Ring after the present transaction commits; at once when there is none."""
    transaction.on_commit(lambda: ring(station_pk))


def ring(station_pk: int) -> None:
    """Send `{"type": "station.ring", "station": pk}` to the owner's channel."""
    ring_all([station_pk])


def ring_all(station_pks: Collection[int]) -> None:
    """Ring for each of these stations."""
    owned = Station.objects.filter(pk__in=station_pks, owner__isnull=False)
    for station_pk, channel in owned.values_list("pk", "owner__channel").order_by():
        _send(channel, {"type": "station.ring", "station": station_pk})


def tell_moved(channel: str, fences: Mapping[int, int]) -> None:
    """Tell a former owner of stations that newer sockets, with these fences, have taken over (P7).

    Sends `{"type": "stations.moved", "stations": [[pk, fence], …]}`.
    """
    _send(channel, {"type": "stations.moved", "stations": [[pk, n] for pk, n in fences.items()]})


def _send(channel: str, message: dict[str, Any]) -> None:
    take = _at_home.get(channel)
    if take is not None:
        take(message)
        return
    try:
        async_to_sync(get_channel_layer().send)(channel, message)
    except (ChannelFull, RedisError, OSError) as error:
        logger.warning("doorbell lost for %s: %r", channel, error)
