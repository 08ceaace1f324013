"""Stations that come and go in masses: handshakes and leavings, many a transaction.

When a network or a process comes back, thousands of stations knock at once. What is the same for
nearly all of them is read and written for all together; what is seldom (a certificate, a key on
its way, a profile that rises, an alert to resolve, a row that someone has locked) is left to
`handshake.admit`, one by one. Both judge by the same rules, and a test holds them side by side.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from sessions_app.models import ChargingSession
from stations import commands, configuration, presence
from stations.models import Alert, Command, PendingKey, Station

from ..refusals import Cause
from .handshake import (
    SUBPROTOCOLS,
    Admission,
    Handshake,
    Refused,
    choose,
    has_key,
    keyed_profile,
    require,
)


class Known(NamedTuple):
    """What a handshake is judged by, as one query reads it for many."""

    pk: int
    station_id: str
    identity: str
    security_profile: int
    key_digest: str
    is_lenient: bool
    registration: str
    booted_at: dt.datetime | None
    has_pending_key: bool
    has_refusals: bool
    is_charging: bool
    has_queued: bool
    last_run_error: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one handshake among many.

    `admission` is None where it must be admitted alone. With `has_left_calls`, calls over older
    sockets are to be cut off before it is answered.
    """

    admission: Admission | None = None
    has_left_calls: bool = False


ALONE = Verdict()


def admit_all(handshakes: Sequence[Handshake], process_id: uuid.UUID) -> list[Verdict | Refused]:
    """Judge handshakes, and make the sockets of those that are right the live ones (P7).

    Each that is admitted gets a fence of its own, also where two are of one station.
    """
    known = _known({handshake.station_id.casefold() for handshake in handshakes})
    judged = {
        number: _judge(handshake, known.get(handshake.station_id.casefold()))
        for number, handshake in enumerate(handshakes)
    }
    with transaction.atomic():
        for wave in _waves(judged):
            judged |= _connect(wave, process_id)
    return list(judged.values())


def leave_all(sockets: Sequence[tuple[int, int]]) -> list[bool]:
    """Let (station, fence) go; True where nothing is left to do, else it must leave alone."""
    newest: dict[int, int] = {}
    for station_pk, fence in sockets:
        newest[station_pk] = max(fence, newest.get(station_pk, 0))
    with transaction.atomic():
        done = presence.disconnect_all(newest)
        left = commands.left_behind({pk: fence + 1 for pk, fence in newest.items()})
    return [pk in done and pk not in left for pk, _ in sockets]


def _known(identities: set[str]) -> dict[str, Known]:
    station = OuterRef("pk")
    alerts = Alert.objects.filter(station=station, kind__in=list(Cause), resolved_at__isnull=True)
    rows = Station.objects.filter(identity__in=identities).values_list(
        "pk",
        "station_id",
        "identity",
        "security_profile",
        "key_digest",
        "is_lenient",
        "registration",
        "booted_at",
        Exists(PendingKey.objects.filter(station=station)),
        Exists(alerts),
        Exists(ChargingSession.objects.running().filter(station=station)),
        Exists(Command.objects.filter(station=station, status=Command.Status.QUEUED)),
        configuration.how_last_ended(station),
    )
    return {row[2]: Known(*row) for row in rows}


def _judge(handshake: Handshake, known: Known | None) -> Verdict | Refused:
    """Judge one handshake without a query; its admission has no fence yet."""
    if known is None:
        is_refused = settings.CSMS_UNKNOWN_STATIONS != "pending"
        return Refused(HTTPStatus.NOT_FOUND) if is_refused else ALONE
    if handshake.certificate is not None or known.has_pending_key:
        return ALONE
    is_proved = has_key(handshake, identity=known.identity, digests=[known.key_digest])
    proven = keyed_profile(handshake) if is_proved else 0
    try:
        require(proven, known.security_profile, station_pk=known.pk)
        answered = choose(handshake, is_lenient=known.is_lenient)
    except Refused as refused:
        return refused
    if proven > known.security_profile or known.has_refusals:
        return ALONE
    return Verdict(_admission(known, answered))


def _admission(known: Known, answered: str | None) -> Admission:
    is_accepted = known.registration == Station.Registration.ACCEPTED
    return Admission(
        known.pk,
        known.station_id,
        0,
        answered or SUBPROTOCOLS[0],
        answered,
        is_lenient=known.is_lenient,
        was_accepted=is_accepted and known.booted_at is not None,
        may_resume=known.is_charging,
        may_have_queued=known.has_queued,
        may_go_on=known.last_run_error == configuration.DISCONNECTED,
    )


def _waves(judged: Mapping[int, Verdict | Refused]) -> list[dict[int, Admission]]:
    """Those who may come in, by their numbers, so that no wave has two of one station."""
    waves: list[dict[int, Admission]] = []
    earlier: dict[int, int] = {}
    for number, verdict in judged.items():
        if isinstance(verdict, Refused) or verdict.admission is None:
            continue
        turn = earlier.get(verdict.admission.station_pk, 0)
        earlier[verdict.admission.station_pk] = turn + 1
        if turn == len(waves):
            waves.append({})
        waves[turn][number] = verdict.admission
    return waves


def _connect(wave: Mapping[int, Admission], process_id: uuid.UUID) -> dict[int, Verdict]:
    fences: dict[int, int] = {}
    for subprotocol in {admission.subprotocol for admission in wave.values()}:
        pks = [one.station_pk for one in wave.values() if one.subprotocol == subprotocol]
        fences |= presence.connect_all(pks, process_id=process_id, subprotocol=subprotocol)
    left = commands.left_behind(fences)
    return {number: _verdict(admission, fences, left) for number, admission in wave.items()}


def _verdict(admission: Admission, fences: Mapping[int, int], left: Collection[int]) -> Verdict:
    pk = admission.station_pk
    if pk not in fences:
        return ALONE
    has_left = pk in left
    admission = replace(admission, fence=fences[pk], may_go_on=admission.may_go_on or has_left)
    return Verdict(admission, has_left_calls=has_left)
