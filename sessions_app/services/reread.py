"""Read a session in review again, by what is now known of its station's meter."""

import uuid
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from billing.energy import Wh
from billing.models import User
from billing.money import Minor
from billing.reasons import stated
from stations.metering import CORRECTIONS

from ..errors import NotInReview, StillImplausible
from ..facts import Stopped
from ..models import ChargingSession, Reading, SessionEvent, SessionStatus
from .bill import delivered_wh, price_session
from .ending import Ending
from .normalise import place_rows, read_stop, take_start
from .plausible import METER_CAUSES, Doubt, doubt
from .settle import settle
from .told import samples_of, told_by


@dataclass(frozen=True, slots=True)
class Preview:
    """What reading again would bill, and why that would still be in doubt."""

    energy_wh: Wh
    cost_minor: Minor
    doubt: str | None


def reread(*, session_id: uuid.UUID, actor: User, reason: str) -> ChargingSession:
    """Read all that a session's meter told once more, and settle it where that makes sense now.

    Raises SessionNotFound, NotInReview, Invalid without a reason, and StillImplausible, with
    nothing changed, where the meter is not believed with the present profile either.
    """
    with transaction.atomic():
        session = ChargingSession.objects.locked(session_id)
        if session.status != SessionStatus.REVIEW:
            raise NotInReview
        session.note(
            SessionEvent.Kind.STAFF, actor=actor.username, did="reread", reason=stated(reason)
        )
        ending, doubtful = _read_again(session, actor.username)
        if doubtful:
            raise StillImplausible(f"The meter is still in doubt: {doubtful.cause}.")
        settle(session, ending)
        return session


def preview(*, session_id: uuid.UUID) -> Preview:
    """What the present profile would make of a session in review; nothing is kept of it.

    Raises SessionNotFound and NotInReview.
    """
    with transaction.atomic():
        session = ChargingSession.objects.locked(session_id)
        if session.status != SessionStatus.REVIEW:
            raise NotInReview
        ending, doubtful = _read_again(session, session.stop_reason)
        energy_wh = delivered_wh(session, ending.register_wh)
        total = price_session(session, energy_wh=energy_wh, until=ending.at).bill.total
        transaction.set_rollback(True)
    cost = Minor(min(total, session.hold_minor))
    return Preview(energy_wh, cost, doubtful.cause if doubtful else None)


def _read_again(session: ChargingSession, actor: str) -> tuple[Ending, Doubt | None]:
    told_stop_wh = _forget(session)
    place_rows(session, samples_of(session))
    stop = _read_stop(session, told_stop_wh)
    register = session.meter_last_wh if stop is None else stop
    at = session.stopped_at or session.requested_at
    ending = Ending(register, at, session.stop_reason, actor)
    return ending, doubt(session, ending, told_stop_wh=told_stop_wh)


def _forget(session: ChargingSession) -> Decimal | None:
    """Bring a session back to what its station told; return meterStop as it was told."""
    told_stop_wh = None
    rows = list(session.readings.order_by("at"))
    for row in rows:
        told = told_by(row)
        row.register_wh, row.flags = told.register_wh, list(told.flags)
        if row.context == "Transaction.End" and session.meter_stop_wh is not None:
            told_stop_wh = told.register_wh
    Reading.objects.bulk_update(rows, ["register_wh", "flags"])
    forgotten = {*CORRECTIONS, *METER_CAUSES}
    session.flags = [flag for flag in session.flags if flag not in forgotten]
    first = next((row for row in rows if row.at == session.meter_start_at), None)
    if first is not None and first.register_wh is not None:
        take_start(session, first.register_wh)
    return told_stop_wh


def _read_stop(session: ChargingSession, told_wh: Decimal | None) -> Decimal | None:
    received_at = session.stop_received_at or session.requested_at
    fact = Stopped(session.transaction_id, told_wh, None, received_at)
    session.meter_stop_wh = read_stop(session, fact).meter_stop_wh
    return session.meter_stop_wh
