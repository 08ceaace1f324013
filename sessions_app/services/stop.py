"""End a session by request: of its driver, of staff, or by staff on a stated meter."""

import uuid
from decimal import Decimal

from django.db import transaction

from billing.errors import Invalid
from billing.models import User
from stations import alerts, commands

from ..errors import SessionEnded, SessionNotFound
from ..models import ChargingSession, SessionEvent, SessionStatus
from ..models.session import OPEN, RUNNING
from .ending import Ending
from .settle import RESTORED, give_up, last_moment, settle
from .stopping import ask_station_to_stop, begin_stopping

_S = SessionStatus


def request_stop(*, session_id: uuid.UUID, actor: User, reason: str = "") -> ChargingSession:
    """Ask the station to stop; a session that has not begun is cancelled.

    Repeating it is harmless. Raises SessionNotFound (also for another driver's), SessionEnded.
    """
    with transaction.atomic():
        session = ChargingSession.objects.locked(session_id)
        if not actor.is_staff and session.user_id != actor.pk:
            raise SessionNotFound
        if session.status not in OPEN:
            raise SessionEnded
        if session.status == _S.STOPPING:
            return session
        by = "driver" if session.user_id == actor.pk else "staff"
        session.note(SessionEvent.Kind.STOP_ASKED, actor=actor.username, by=by, reason=reason)
        if session.status == _S.REQUESTED:
            commands.withdraw(session.reference)
            give_up(session, error_code="cancelled", actor=actor.username)
        else:
            begin_stopping(session, by=by, actor=actor.username)
        return session


def force_end(
    *, session_id: uuid.UUID, meter_stop_wh: int, actor: User, reason: str
) -> ChargingSession:
    """Let staff end a session on a meter value that they state; a later stop corrects it.

    Raises SessionNotFound, SessionEnded, Invalid when the meter is below the session's start.
    """
    with transaction.atomic():
        session = ChargingSession.objects.locked(session_id)
        if session.status not in (*RUNNING, _S.REVIEW) or session.meter_start_wh is None:
            raise SessionEnded
        if meter_stop_wh < session.meter_start_wh:
            raise Invalid(fields={"meter_stop_wh": ["It is below the meter at the start."]})
        session.note(
            SessionEvent.Kind.STAFF,
            actor=actor.username,
            did="force_end",
            meter_stop_wh=meter_stop_wh,
            reason=reason,
        )
        if session.status != _S.REVIEW:
            ask_station_to_stop(session)
        at = session.stopped_at or last_moment(session)
        settle(session, Ending(Decimal(meter_stop_wh), at, "forced", actor.username))
        if RESTORED in session.flags:
            alerts.resolve_alert(RESTORED, str(session.pk))
        return session
