"""Sockets that newer ones replaced while they were young: two devices that share an identity
replace each other again and again. It is kept by the process that held the older socket.

A socket that has lived for long is replaced when a network comes back; that shows nothing.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from .models import Station, Takeovers

KEPT = 30


@dataclass(frozen=True, slots=True)
class Takeover:
    """A young socket of a station, from this remote address, was replaced."""

    station_pk: int
    peer: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Contest:
    """What lately came of one identity: how often it was taken, from where, by which devices."""

    count: int
    peers: list[str]
    serials: list[str]


def is_young(age_s: float) -> bool:
    """Whether a socket of this age that is replaced shows anything."""
    return age_s < settings.CSMS_FLAPPING_WINDOW_S


@transaction.atomic
def note(told: Iterable[Takeover]) -> None:
    """Keep takeovers, those of one station in its one row; of a station that is gone, none."""
    by_station: defaultdict[int, list[Takeover]] = defaultdict(list)
    for takeover in told:
        by_station[takeover.station_pk].append(takeover)
    there = Station.objects.filter(pk__in=by_station).order_by("pk")
    serials = dict(there.values_list("pk", "serial_number"))
    Takeovers.objects.bulk_create(
        [Takeovers(station_id=pk) for pk in serials], ignore_conflicts=True
    )
    rows = Takeovers.objects.select_for_update(no_key=True).filter(station__in=serials)
    changed = list(rows.order_by("pk"))
    for row in changed:
        new = by_station[row.station_id]
        plain = [[one.at.isoformat(), one.peer, serials[row.station_id]] for one in new]
        row.recent = [*row.recent, *plain][-KEPT:]
        row.last_at = max(one.at for one in new)
    Takeovers.objects.bulk_update(changed, ["recent", "last_at"], batch_size=500)


def contest_of(row: Takeovers, now: dt.datetime) -> Contest:
    """What happened to one identity within CSMS_FLAPPING_WINDOW_S."""
    since = now - dt.timedelta(seconds=settings.CSMS_FLAPPING_WINDOW_S)
    lately = [
        (peer, serial) for at, peer, serial in row.recent if dt.datetime.fromisoformat(at) >= since
    ]
    peers = sorted({peer for peer, _ in lately if peer})
    serials = sorted({serial for _, serial in lately if serial})
    return Contest(len(lately), peers, serials)
