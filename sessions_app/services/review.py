"""What an operator decides about sessions and messages that wait for review (P8).

Beside these, `stop.force_end` settles a session on a meter value, and `orphans.dismiss` lets a
message rest. Each says who and why, in one transaction: the session is locked first, then the
message, then accounts.
"""

import uuid

from django.db import transaction

from billing.errors import Invalid
from billing.models import User
from billing.money import Minor, to_text
from billing.reasons import stated

from ..errors import NotAssignable, NotInReview, StillImplausible
from ..models import ChargingSession, Orphan, SessionEvent, SessionStatus
from ..models.session import RUNNING
from . import end, orphans, readings
from .bill import recompute
from .meter import bring_up_to_date
from .normalise import place_rows
from .plausible import doubt
from .settle import ON_LAST_READING, correct, last_ending, settle_as_stated, settle_on_last_reading

_S = SessionStatus


def settle_with(
    *, session_id: uuid.UUID, amount: Minor, actor: User, reason: str
) -> ChargingSession:
    """Settle a session in review: of its bill, the driver pays `amount` (minor units).

    The bill stays as computed, the difference is loss, and no later stop takes more. Raises
    SessionNotFound, NotInReview, Invalid when the amount is above the hold or the bill: what the
    bill does not show is settled on a meter value.
    """
    with transaction.atomic():
        session = _in_review(session_id)
        most = min(session.hold_minor, recompute(session).total)
        if not 0 <= amount <= most:
            raise Invalid(fields={"amount": [f"It must be from 0.00 to {to_text(most)}."]})
        _note(session, actor, reason, did="settle_with", amount_minor=amount)
        settle_as_stated(session, amount, actor=actor.username)
        return session


def release(*, session_id: uuid.UUID, actor: User, reason: str) -> ChargingSession:
    """Settle a session in review with nothing: its hold is free, its bill is loss.

    Raises SessionNotFound, NotInReview.
    """
    with transaction.atomic():
        session = _in_review(session_id)
        _note(session, actor, reason, did="release")
        settle_as_stated(session, Minor(0), actor=actor.username)
        return session


def assign(*, orphan_id: int, session_id: uuid.UUID, actor: User, reason: str) -> ChargingSession:
    """Say which session a message belongs to, and apply it as if the station had said so.

    A stop ends the session, or corrects one that we ended. Readings are stored with it, move a
    running session on, and correct one that was ended on its last reading. Raises
    SessionNotFound, OrphanNotFound, OrphanResolved, NotAssignable when it cannot be, and
    StillImplausible when readings would make a completed session impossible.
    """
    with transaction.atomic():
        session = ChargingSession.objects.locked(session_id)
        orphan = orphans.locked(orphan_id)
        _check_fit(orphan, session)
        _note(session, actor, reason, did="assign", message=orphan.pk)
        if orphan.kind == Orphan.Kind.STOP:
            _assign_stop(orphan, session)
        else:
            _assign_readings(orphan, session, actor=actor.username)
        orphans.resolve(orphan, actor=actor, reason=reason, session=session)
        return session


def _in_review(session_id: uuid.UUID) -> ChargingSession:
    session = ChargingSession.objects.locked(session_id)
    if session.status != _S.REVIEW:
        raise NotInReview
    return session


def _note(session: ChargingSession, actor: User, reason: str, **did: object) -> None:
    session.note(SessionEvent.Kind.STAFF, actor=actor.username, reason=stated(reason), **did)


def _check_fit(orphan: Orphan, session: ChargingSession) -> None:
    """A message is only ever of its own station's sessions (P10), and of one that has begun."""
    if orphan.kind == Orphan.Kind.START:
        raise NotAssignable("A start that could not be read began no session.")
    if orphan.station_id != session.station_id:
        raise NotAssignable("This session was at another station.")
    if session.transaction_id is None:
        raise NotAssignable("This session has not begun.")
    if orphan.session_id and orphan.session_id != session.pk:
        raise NotAssignable("This stop is of another session.")


def _assign_stop(orphan: Orphan, session: ChargingSession) -> None:
    fact = orphans.stop_of(orphan)
    if orphan.session_id:
        end.correct_by(session, fact)
    elif session.stop_received_at is not None:
        raise NotAssignable("The station has ended this session itself.")
    else:
        end.end_session(session, fact)


def _assign_readings(orphan: Orphan, session: ChargingSession, *, actor: str) -> None:
    """Store readings with a session, and bring it to what they say while no stop rules it."""
    rows = readings.adopt(session, transaction_id=orphan.payload.get("transaction_id"))
    if not rows:
        raise NotAssignable("None of these readings is of this session's time and connector.")
    samples = place_rows(session, rows)
    if session.stop_received_at is not None:
        return
    received_at = max(row.received_at for row in session.readings.all())
    if session.status in RUNNING:
        bring_up_to_date(session, samples, received_at)
        return
    registers = [s.register_wh for s in samples if s.register_wh is not None]
    session.meter_last_wh = max([*registers, session.meter_last_wh or 0])
    session.save(update_fields=["meter_last_wh"])
    if session.status == _S.REVIEW:
        settle_on_last_reading(session, reason=session.stop_reason, actor=actor)
    elif session.status == _S.COMPLETED and session.stop_reason in ON_LAST_READING:
        _correct_on_last_reading(session, actor=actor)


def _correct_on_last_reading(session: ChargingSession, *, actor: str) -> None:
    ending = last_ending(session, reason=session.stop_reason, actor=actor)
    doubtful = doubt(session, ending)
    if doubtful:
        raise StillImplausible(
            f"With these readings the session could not be true: {doubtful.cause}."
        )
    correct(session, ending)
