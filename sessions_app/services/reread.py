"""Read a session in review again, by what is now known of its station's meter."""

import uuid
from decimal import Decimal

from django.db import transaction

from billing.models import User
from billing.reasons import stated

from ..errors import NotInReview, StillImplausible
from ..facts import Stopped
from ..models import ChargingSession, Reading, SessionEvent, SessionStatus
from .ending import Ending
from .normalise import CORRECTIONS, place_rows, read_stop, samples_of, take_start, told_by
from .plausible import METER_CAUSES, doubt
from .settle import settle


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
        told_stop_wh = _forget(session)
        place_rows(session, samples_of(session))
        stop = _read_stop(session, told_stop_wh)
        register = session.meter_last_wh if stop is None else stop
        at = session.stopped_at or session.requested_at
        ending = Ending(register, at, session.stop_reason, actor.username)
        doubtful = doubt(session, ending, told_stop_wh=told_stop_wh)
        if doubtful:
            raise StillImplausible(f"The meter is still in doubt: {doubtful.cause}.")
        settle(session, ending)
        return session


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
