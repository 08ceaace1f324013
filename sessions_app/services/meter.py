"""Record meter readings, keep the running cost, and stop at the limit."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from django.db import transaction

from billing.energy import Wh
from billing.money import Minor
from stations import clock
from stations.models import Station

from ..facts import Metered, Sample
from ..models import ChargingSession, SessionStatus
from ..models.session import RUNNING
from ..profile_plan import Aim
from ..running import Onward, Running
from . import backstop, orphans, readings
from .bill import delivered_wh, price_session, session_time
from .limits import is_reached, warning_of
from .normalise import normalise
from .notices import tell_of_nearly_used
from .outlooks import aim_ahead
from .steering import Plan, is_stop_due, plan
from .stopping import begin_stopping, stop_stray
from .tracking import follow


class Heard(NamedTuple):
    """What the process that owns the socket goes on with: each None where there is nothing.

    `running` is what the session's next sample can be judged by, where it may be one that keeps the
    rules; `plan` is when it must be stopped or asked.
    """

    running: Running | None = None
    plan: Plan | None = None


def record(*, station: Station, fact: Metered) -> Heard:
    """Store the samples of one MeterValues and ask for a stop when the limit is reached.

    (session, station time) is the key: a sample that is known changes nothing (P3). Samples of
    no session are stored too, and an unknown transaction becomes an orphan (P8).
    """
    if not fact.samples:
        return Heard()
    with transaction.atomic():
        # The station's row before the session's: a start locks them in this order.
        clock.observe(station, max(s.at for s in fact.samples), fact.received_at)
        session = _find_session(station, fact)
        if session is None:
            _store_unattributed(station, fact)
            return Heard()
        session.station = station
        samples = normalise(
            session,
            [s for s in fact.samples if _is_within(session, s)],
            received_at=fact.received_at,
            frame_id=fact.frame_id,
        )
        readings.store(session, samples, received_at=fact.received_at, frame_id=fact.frame_id)
        onward = None
        if session.status in RUNNING:
            onward = bring_up_to_date(session, samples, fact.received_at)
            backstop.renew(session, samples, fact.received_at, _aim(session, onward, fact))
        elif session.stop_received_at is None and _has_energy(session, samples):
            stop_stray(session)
        if onward is None or session.status != SessionStatus.CHARGING:
            return Heard()
        return Heard(follow(session, onward.course), Plan(session.pk, onward.outlook))


def _find_session(station: Station, fact: Metered) -> ChargingSession | None:
    """Lock the session that these samples belong to.

    A station that names no transaction (or 0, or -1) means the one that runs on the connector.
    """
    sessions = station.sessions.order_by("-requested_at")
    if fact.transaction_id is not None and fact.transaction_id > 0:
        found = sessions.filter(transaction_id=fact.transaction_id).first()
    else:
        begun = sessions.running().filter(transaction_id__isnull=False)  # not one cancelled before
        found = begun.filter(connector_id=fact.connector_id).first()
    return ChargingSession.objects.locked(found.pk) if found else None


def bring_up_to_date(
    session: ChargingSession, samples: list[Sample], received_at: dt.datetime
) -> Onward | None:
    """Take stored samples into the energy and cost of a running session; stop it for its limit.

    Returns how it goes on; None where that was not told, and where it does not.
    """
    registers = [s.register_wh for s in samples if s.register_wh is not None]
    if registers:
        session.meter_last_wh = max(*registers, session.meter_last_wh or Decimal(0))
        session.last_reading_at = max(received_at, session.last_reading_at or received_at)
    session.energy_wh = delivered_wh(session, session.meter_last_wh)
    latest = max((s.at for s in samples), default=received_at)
    until = session_time(session, latest, received_at) or received_at
    total = price_session(session, energy_wh=session.energy_wh, until=until).bill.total
    session.cost_minor = Minor(min(total, session.hold_minor))
    is_told = registers and session.status == SessionStatus.CHARGING
    onward = plan(session, received_at) if is_told else None
    session.version += 1
    session.save(update_fields=_RUNNING_FIELDS)
    soc = max((s.soc for s in samples if s.soc is not None), default=None)
    reached = is_reached(
        session, energy_wh=session.energy_wh, total=total, soc=soc, now=received_at
    )
    if session.status != SessionStatus.CHARGING:
        return None
    if reached or (onward is not None and is_stop_due(session, received_at)):
        begin_stopping(session, by="limit", actor="kubat")
    else:
        _warn_if_nearly_used(session, total, received_at)
    return onward


def _warn_if_nearly_used(session: ChargingSession, total: Minor, now: dt.datetime) -> None:
    warning, energy_wh = warning_of(session), Wh(session.energy_wh)
    if warning and warning.are_reached(energy_wh=energy_wh, total=total, soc=None, now=now):
        tell_of_nearly_used(session, energy_wh=energy_wh, total=total, now=now)


def _aim(
    session: ChargingSession, onward: Onward | None, fact: Metered
) -> Callable[[], Aim] | None:
    """What says where the plan at the station must end, if somebody asks."""
    if onward is None:
        return None
    return partial(aim_ahead, session, onward.course, fact.received_at)


def _store_unattributed(station: Station, fact: Metered) -> None:
    samples = list(fact.samples)
    if fact.transaction_id is not None and fact.transaction_id > 0:
        orphans.keep_readings(station, fact)
        samples = [readings.flagged(s, readings.claim_of(fact.transaction_id)) for s in samples]
    readings.store_without_session(
        station,
        fact.connector_id,
        samples,
        received_at=fact.received_at,
        frame_id=fact.frame_id,
    )


def _is_within(session: ChargingSession, sample: Sample) -> bool:
    """Whether a sample is of this transaction: stations replay older ones with it."""
    return session.meter_start_at is None or sample.at >= session.meter_start_at


def _has_energy(session: ChargingSession, samples: list[Sample]) -> bool:
    start = session.meter_start_wh or Decimal(0)
    return any(s.register_wh is not None and s.register_wh > start for s in samples)


_RUNNING_FIELDS = [
    "meter_last_wh",
    "energy_wh",
    "cost_minor",
    "last_reading_at",
    "due_at",
    "stop_at",
    "version",
]
