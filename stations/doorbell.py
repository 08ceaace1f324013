"""The doorbell: tell the process that owns a station's socket that a command waits.

It may be lost at any time: the owner also looks by itself. So it never raises, and it is never
rung inside a transaction.

Who rings another process is a thread and not an event loop. The pub/sub layer publishes what it
serialised under the channel's own name: a plain client does that in one round trip, where the
layer would need a loop, in a thread without one a new loop and a new connection for each bell.
"""

import functools
import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import redis
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

from .models import Station

logger = logging.getLogger(__name__)

WAIT_S = 0.25
SILENT_S = 5.0
"""How long a Redis that hangs is left alone, so that it does not hold up one call after another."""

_at_home: dict[str, Callable[[dict[str, Any]], None]] = {}
"""Who answers which channel in this process: a bell within one process needs no layer, and the
layer in memory must not be rung from another thread."""


def answer_at(channel: str, take: Callable[[dict[str, Any]], None]) -> None:
    """Let `take` have what is rung at a channel of this process, from whatever thread."""
    _at_home[channel] = take


def leave(channel: str) -> None:
    """Take back what `answer_at` said."""
    _at_home.pop(channel, None)


def ring_on_commit(station: Station) -> None:
    """Ring after the present transaction commits; at once when there is none."""
    transaction.on_commit(functools.partial(ring, station))


def ring_all(station_pks: Collection[int]) -> None:
    """Ring for each of these stations."""
    owned = Station.objects.filter(pk__in=station_pks, owner__isnull=False)
    for station_pk, channel in owned.values_list("pk", "owner__channel").order_by():
        _send(channel, {"type": "station.ring", "station": station_pk})


def ring(station: Station) -> None:
    """Send `{"type": "station.ring", "station": pk}` to the owner's channel.

    An owner that was read with the station is taken at its word.
    """
    channel = _known_channel(station) or _stored_channel(station)
    if channel:
        _send(channel, {"type": "station.ring", "station": station.pk})


def tell_moved(channel: str, fences: Mapping[int, int]) -> None:
    """Tell a former owner of stations that newer sockets, with these fences, have taken over (P7).

    Sends `{"type": "stations.moved", "stations": [[pk, fence], …]}`.
    """
    _send(channel, {"type": "stations.moved", "stations": [[pk, n] for pk, n in fences.items()]})


def _known_channel(station: Station) -> str:
    is_read = Station._meta.get_field("owner").is_cached(station)
    return station.owner.channel if is_read and station.owner else ""


def _stored_channel(station: Station) -> str:
    owner = (
        Station.objects.filter(pk=station.pk).order_by().values_list("owner__channel", flat=True)
    )
    return owner.first() or ""


def _send(channel: str, message: dict[str, Any]) -> None:
    take = _at_home.get(channel)
    if take is not None:
        take(message)
    elif settings.REDIS_URL:
        _line.publish(channel, message)


class Line:
    """The way to other processes."""

    def __init__(self) -> None:
        self._silent_until = 0.0

    def publish(self, channel: str, message: dict[str, Any]) -> None:
        if time.monotonic() < self._silent_until:
            return
        try:
            _client(settings.REDIS_URL).publish(channel, get_channel_layer().serialize(message))
        except (RedisError, OSError) as error:
            logger.warning("doorbell lost for %s: %r", channel, error)
            if isinstance(error, redis.TimeoutError):
                self._silent_until = time.monotonic() + SILENT_S


@functools.cache
def _client(url: str) -> "redis.Redis":
    """A client with connections that stay open; it may be used from any thread."""
    return redis.Redis.from_url(url, socket_timeout=WAIT_S, socket_connect_timeout=WAIT_S)


_line = Line()
