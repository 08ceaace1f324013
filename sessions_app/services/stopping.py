"""Ask a station to stop a transaction, and keep asking."""

import datetime as dt

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from stations import commands
from stations.models import Command

from ..models import ChargingSession, SessionStatus
from . import ladder
from .moves import move
from .steps import step

STOP_ACTION = "RemoteStopTransaction"
RESEND_AFTER = dt.timedelta(seconds=10)


def begin_stopping(session: ChargingSession, *, by: str, actor: str) -> None:
    """Move a session to `stopping` and, if it has a transaction, ask the station to end it.

    `by` is what wanted it: driver, staff, limit, silence. A start that has no transaction yet is
    cancelled: it ends when its time to begin is over.
    """
    with step(session, "stop decided", by=by, energy_wh=session.energy_wh):
        session.stop_requested_at = timezone.now()
        session.stop_requested_by = by
        if session.transaction_id:
            session.due_at = session.stop_requested_at + RESEND_AFTER
        session.save(update_fields=["stop_requested_at", "stop_requested_by", "due_at"])
        move(session, SessionStatus.STOPPING, actor=actor, by=by)
        if session.transaction_id:
            ask_station_to_stop(session)


def ask_station_to_stop(session: ChargingSession) -> None:
    """Queue a RemoteStopTransaction (OCPP 1.6 §5.12) unless one is under way. It never expires."""
    if _stops(session).filter(status__in=Command.OPEN).exists():
        return
    with step(session, "stop asked for"):
        command = commands.send(
            station=session.station,
            action=STOP_ACTION,
            payload={"transactionId": session.transaction_id},
            lane=Command.Lane.STOP,
            reference=session.reference,
            timeout_s=settings.CSMS_CALL_TIMEOUT_S,
        )
    if session.status == SessionStatus.STOPPING:
        ladder.note_remote_stop(session, command)


def stop_stray(session: ChargingSession) -> None:
    """Ask again, at most every 10 s, for the end of a transaction that we gave up or refused."""
    recent = timezone.now() - RESEND_AFTER
    if not _stops(session).filter(created_at__gt=recent).exists():
        ask_station_to_stop(session)


def _stops(session: ChargingSession) -> QuerySet[Command]:
    return Command.objects.filter(reference=session.reference, action=STOP_ACTION)
