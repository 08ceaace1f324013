"""Make a session of a message that belongs to none: sold to a driver, or written off (P8).

The energy has flowed, so it is priced either way. A driver pays at most what is available now; the
rest, or all of it where nobody is known, is the operator's loss and counts for the station.
"""

import dataclasses
import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from billing.errors import Invalid
from billing.models import Tariff, User
from billing.money import Minor
from billing.reasons import stated
from stations import clock
from stations.models import Station
from stations.tariffs import tariff_for

from ..errors import NotAssignable, OrphanNotFound
from ..facts import Sample, Stopped
from ..models import (
    ChargingSession,
    Orphan,
    Reading,
    SessionEvent,
    SessionStatus,
    TransactionNumber,
)
from ..models.session import WRITTEN_OFF
from . import end, orphans, readings
from .authorize import storable
from .bill import delivered_wh, price_session, session_time
from .books import lock_accounts
from .holds import available_of, take_hold
from .moves import move
from .settle import OFFLINE

LONGEST_CHARGE = dt.timedelta(days=7)
"""How long before its message the readings of a charge are looked for."""


@dataclass(frozen=True, slots=True)
class Told:
    """What staff say of a message: None is left to what it says itself.

    Registers in Wh. Without a driver the energy is written off.
    """

    driver: User | None = None
    tariff: Tariff | None = None
    connector_id: int | None = None
    meter_start_wh: Decimal | None = None
    meter_stop_wh: Decimal | None = None


@dataclass(frozen=True, slots=True)
class _Charge:
    """What is known of the charge behind a message, by the station's clock."""

    connector_id: int
    meter_start_wh: Decimal
    begun_at: dt.datetime
    stop: Stopped


def make_session(*, orphan_id: int, told: Told, actor: User, reason: str) -> ChargingSession:
    """Make a session of a message, and settle it as if its station had told of it in order.

    An ending that cannot be true goes to review. Raises OrphanNotFound, OrphanResolved,
    NotAssignable, Invalid with what must be stated because the message does not say it.
    """
    with transaction.atomic():
        station = _lock_station(orphan_id)
        orphan = orphans.locked(orphan_id)
        if orphan.session_id:
            raise NotAssignable("This stop is of a session: assign it, or dismiss it.")
        charge = _read(orphan, told)
        if station.sessions.open().filter(connector_id=charge.connector_id).exists():
            raise NotAssignable("A charge is under way at this connector: wait until it has ended.")
        session = _begin(station, charge, told)
        session.note(
            SessionEvent.Kind.STAFF,
            actor=actor.username,
            reason=stated(reason),
            did="make_session",
            message=orphan.pk,
        )
        readings.adopt(session, transaction_id=charge.stop.transaction_id)
        _hold(session, charge, actor=actor.username)
        move(session, SessionStatus.CHARGING, actor=actor.username)
        end.end_session(session, charge.stop)
        _resolve(orphan, session, actor=actor, reason=reason)
        return session


def write_off(*, orphan_id: int, actor: User, reason: str) -> ChargingSession:
    """Book the energy of a message as the operator's loss. Raises as `make_session`."""
    return make_session(orphan_id=orphan_id, told=Told(), actor=actor, reason=reason)


def _lock_station(orphan_id: int) -> Station:
    found = Orphan.objects.filter(pk=orphan_id).values_list("station_id", flat=True).first()
    if found is None:
        raise OrphanNotFound
    return Station.objects.select_for_update(no_key=True).get(pk=found)


def _read(orphan: Orphan, told: Told) -> _Charge:
    """Put together what the message says and what staff add. Raises Invalid."""
    rows = _claimed(orphan)
    stop = _stop(orphan, rows)
    samples = [*map(readings.sample_of, rows), *stop.samples]
    first = _first([sample for sample in samples if sample.at <= (stop.at or sample.at)])
    start_wh = _either(told.meter_start_wh, _register(first))
    stop_wh = _either(told.meter_stop_wh, stop.meter_stop_wh)
    if start_wh is None or stop_wh is None:
        said = {"meter_start": start_wh, "meter_stop": stop_wh}
        unsaid = [name for name, value in said.items() if value is None]
        raise Invalid(fields={name: ["The message does not say it."] for name in unsaid})
    ended_at = stop.at or stop.received_at
    stop = dataclasses.replace(
        stop,
        meter_stop_wh=stop_wh,
        at=ended_at,
        reason=stop.reason if told.driver else WRITTEN_OFF,
    )
    return _Charge(_connector(orphan, told), start_wh, first.at if first else ended_at, stop)


def _claimed(orphan: Orphan) -> list[Reading]:
    """The stored readings that named the transaction of a message which could be read."""
    number = orphan.payload.get("transaction_id")
    if not number or number < 0:
        return []
    since = orphan.received_at - LONGEST_CHARGE
    return readings.claimed(orphan.station, number, since=since)


def _stop(orphan: Orphan, rows: list[Reading]) -> Stopped:
    """The stop that was kept, or one on the last reading; nothing of what could not be read."""
    if orphan.kind == Orphan.Kind.STOP and "received_at" in orphan.payload:
        return orphans.stop_of(orphan)
    told = [row for row in rows if row.register_wh is not None]
    if not told:
        return Stopped(None, None, None, orphan.received_at, reason="Other")
    number, last = orphan.payload["transaction_id"], told[-1]
    return Stopped(number, last.register_wh, last.at, last.received_at, reason="Other")


def _first(samples: list[Sample]) -> Sample | None:
    """The sample that a charge began with: the one that says so, or else the earliest."""
    registers = [sample for sample in samples if sample.register_wh is not None]
    said = [sample for sample in registers if sample.context == "Transaction.Begin"]
    return min(said or registers, key=lambda sample: sample.at, default=None)


def _either(stated_wh: Decimal | None, said_wh: Decimal | None) -> Decimal | None:
    return said_wh if stated_wh is None else stated_wh


def _register(sample: Sample | None) -> Decimal | None:
    return sample.register_wh if sample else None


def _connector(orphan: Orphan, told: Told) -> int:
    said = told.connector_id or orphan.payload.get("connector_id")
    first = orphan.station.connectors.order_by("connector_id").first()
    return said or (first.connector_id if first else 1)


def _begin(station: Station, charge: _Charge, told: Told) -> ChargingSession:
    received_at = charge.stop.received_at
    started_at = clock.to_ours(station, charge.begun_at, received_at)
    tariff = told.tariff or tariff_for(station, charge.connector_id, started_at)
    return ChargingSession.objects.create(
        station=station,
        connector_id=charge.connector_id,
        user=told.driver,
        origin=ChargingSession.Origin.TAG,
        limit_type=ChargingSession.LimitType.FULL,
        currency=settings.CSMS_CURRENCY,
        tariff=tariff or tariff_for(station, charge.connector_id, received_at),
        id_tag=storable(charge.stop.id_tag),
        requested_at=started_at,
        started_at=started_at,
        last_reading_at=received_at,
        transaction_id=TransactionNumber.objects.create().pk,
        meter_start_wh=charge.meter_start_wh,
        meter_last_wh=charge.meter_start_wh,
        meter_start_at=charge.begun_at,
        stop_reason="" if told.driver else WRITTEN_OFF,
        flags=[OFFLINE] if told.driver else [],
    )


def _hold(session: ChargingSession, charge: _Charge, *, actor: str) -> None:
    """Set aside what the charge costs, at most what its driver can spend now."""
    if session.user is None:
        return
    stop = charge.stop
    assert stop.at is not None
    until = session_time(session, stop.at, stop.received_at) or stop.received_at
    energy_wh = delivered_wh(session, stop.meter_stop_wh)
    cost = price_session(session, energy_wh=energy_wh, until=until).bill.total
    lock_accounts(session.user)
    take_hold(session, Minor(min(cost, available_of(session.user))), actor=actor)


def _resolve(orphan: Orphan, session: ChargingSession, *, actor: User, reason: str) -> None:
    """Resolve the message, and the readings of the same transaction, which went with it."""
    orphans.resolve(orphan, actor=actor, reason=reason, session=session)
    number = orphan.payload.get("transaction_id")
    if not number or number < 0:
        return
    rows = Orphan.objects.select_for_update(no_key=True, of=("self",)).filter(
        station=orphan.station,
        cause=orphan.cause,
        kind=Orphan.Kind.READINGS,
        resolved_at__isnull=True,
    )
    for other in rows.order_by("pk"):
        orphans.resolve(other, actor=actor, reason=reason, session=session)
