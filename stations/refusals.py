"""Handshakes that were refused for what they did not prove: one open alert a station.

They are counted in memory and told together, so that who guesses at a key costs no row and no
lock an attempt; who names no station of ours is not even counted.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction

from . import alerts
from .models import Alert, Station


class Cause(StrEnum):
    """Why a handshake was refused, as the kind of its alert."""

    WRONG_KEY = "wrong_key"
    DOWNGRADE = "security_downgrade"


TEXTS = {
    Cause.WRONG_KEY: "{} was refused: it did not bring its key.",
    Cause.DOWNGRADE: "{} was refused: it came with a lower security profile than its own.",
}


@dataclass(frozen=True, slots=True)
class Refusals:
    """So many handshakes for one station, refused for one cause, the last of them at `last_at`."""

    station_pk: int
    cause: Cause
    count: int
    last_at: dt.datetime


@transaction.atomic
def tell(refused: Iterable[Refusals]) -> None:
    """Open or count on the alerts; not of a station that has been let in since."""
    for refusals in refused:
        station = Station.objects.filter(pk=refusals.station_pk).first()
        if station is None or (station.connected_at and station.connected_at > refusals.last_at):
            continue
        alerts.open_alert(
            refusals.cause,
            str(station.pk),
            TEXTS[refusals.cause].format(station),
            station=station,
            times=refusals.count,
        )


def forgive(station_pk: int) -> None:
    """Resolve the alerts of a station that was let in."""
    is_open = Alert.objects.filter(
        station_id=station_pk, kind__in=list(Cause), resolved_at__isnull=True
    )
    if is_open.exists():
        for cause in Cause:
            alerts.resolve_alert(cause, str(station_pk))
