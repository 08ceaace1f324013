"""The life of a command, seen from sessions: sent, answered, or given up.

The gateway calls these and nothing else about commands; each runs `stations.commands` and moves
the session that the command belongs to in the same transaction. The session is locked before
its command, as everywhere.
"""

import datetime as dt
import time
import uuid
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from billing import context
from stations import commands, rotation
from stations.commands import error_code
from stations.models import Command

from ..models import ChargingSession, SessionEvent, SessionStatus
from ..models.session import PENDING
from . import backstop, intervene, ladder, outcomes, steering
from .moves import move
from .settle import complete_cancelled, give_up
from .start import START_ACTION
from .stopping import STOP_ACTION, ask_station_to_stop

_S, Status = SessionStatus, Command.Status
START_GRACE = dt.timedelta(seconds=30)
ANSWER_GRACE = dt.timedelta(seconds=5)
STOP_SOON = dt.timedelta(seconds=10)
IGNORED_AFTER = dt.timedelta(seconds=30)
"""A stop that is ignored for so long keeps the other connectors waiting no more."""


def claim(*, station_pk: int, fence: int, up_to: Command.Lane = Command.Lane.OWN) -> Command | None:
    """Take the next command to send over the socket with this fence; None when there is none.

    Lanes after `up_to` wait: before Boot is answered Kubat sends nothing of its own. Nor does it
    shortly before a charge must be stopped: an answer that does not come would hold the stop up.
    """
    command = commands.next_queued(station_pk, fence, up_to=up_to)
    if command is None:
        return None  # the usual case costs no lock
    with transaction.atomic():
        if not commands.hold_lane(station_pk, fence):
            return None
        session = _session_of(command)
        if session and not _is_wanted(command, session):
            _withdraw(command)
            return None
        if command.lane == Command.Lane.OWN and _stops_soon(station_pk):
            return None
        if not commands.mark_sent(command, fence):
            return None
        if session and command.action == START_ACTION:
            session.due_at = timezone.now() + command.timeout + ANSWER_GRACE
            session.save(update_fields=["due_at"])
            if session.status == _S.REQUESTED:
                move(session, _S.STARTING, actor="kubat")
        rotation.expect(command)
        return command


def record_answer(command_id: uuid.UUID, response: dict[str, Any]) -> None:
    """The station answered with a CALLRESULT."""
    _resolve(command_id, Status.ANSWERED, response=response)


def record_refusal(command_id: uuid.UUID, code: str, description: str) -> None:
    """The station answered with a CALLERROR: the command is `failed`."""
    _resolve(command_id, Status.FAILED, error=commands.describe(code, description))


def record_silence(command_id: uuid.UUID) -> None:
    """The station did not answer in time: the command is `timed_out`."""
    error = commands.describe("timeout", "The station did not answer in time.")
    _resolve(command_id, Status.TIMED_OUT, error=error)


def record_expiry(command_id: uuid.UUID) -> None:
    """The command could not be sent before its deadline: it is `expired`."""
    error = commands.describe("expired", "It could not be sent in time.")
    _resolve(command_id, Status.EXPIRED, error=error)


def cut_off(*, station_pk: int, fence: int) -> None:
    """Fail, with `disconnected`, what sockets older than `fence` leave unanswered."""
    for command_id in commands.cut_off(station_pk, fence):
        _disconnect(command_id)


def cut_off_these(command_ids: Iterable[uuid.UUID], *, within_s: float) -> None:
    """Fail commands with `disconnected`, as many as the time allows: their process ends.

    The others are cut off by the next handshake of their station, or end at their deadline.
    """
    until = time.monotonic() + within_s
    for command_id in command_ids:
        if time.monotonic() > until:
            return
        _disconnect(command_id)


def _disconnect(command_id: uuid.UUID) -> None:
    error = commands.describe("disconnected", "The connection closed before the answer.")
    _resolve(command_id, Status.FAILED, error=error)


def _resolve(
    command_id: uuid.UUID,
    status: Command.Status,
    *,
    response: dict[str, Any] | None = None,
    error: dict[str, str] | None = None,
) -> None:
    with context.about(command_id=str(command_id)), transaction.atomic():
        command = Command.objects.get(pk=command_id)
        outcomes.lock_first(command)
        session = _session_of(command)
        if not commands.resolve(command, status, response=response, error=error):
            return
        outcomes.hear(command)
        if session:
            _tell(session, command)


def _session_of(command: Command) -> ChargingSession | None:
    """Lock the session that a command was made for."""
    kind, _, session_id = command.reference.partition(":")
    return ChargingSession.objects.locked(session_id) if kind == "session" else None


def _stops_soon(station_pk: int) -> bool:
    """Whether a charge at this station must be stopped in the next seconds, or is."""
    now = timezone.now()
    running = ChargingSession.objects.running().filter(station_id=station_pk)
    stopping = Q(
        status=_S.STOPPING, transaction_id__isnull=False, stop_requested_at__gt=now - IGNORED_AFTER
    )
    near = running.filter(Q(status=_S.CHARGING, stop_at__lte=now + STOP_SOON) | stopping)
    return any(
        session.status == _S.STOPPING or not backstop.is_held(session, now) for session in near
    )


def _is_wanted(command: Command, session: ChargingSession) -> bool:
    """A start that is no longer requested must not go out, nor a limit of a charge that ends, nor
    a reset that would end another.
    """
    if command.action == START_ACTION:
        return session.status in PENDING
    if command.action == backstop.INSTALL and command.lane == Command.Lane.OWN:
        return backstop.is_wanted(session)
    return intervene.is_reset_wanted(command, session)


def _withdraw(command: Command) -> None:
    error = commands.describe("withdrawn", "It was no longer wanted.")
    if commands.resolve(command, Status.EXPIRED, error=error):
        ladder.hear(command)


def _tell(session: ChargingSession, command: Command) -> None:
    """Let a session act on the end of its command."""
    answer = (command.response or {}).get("status", "")
    session.note(
        SessionEvent.Kind.COMMAND,
        actor="station",
        action=command.action,
        status=command.status,
        answer=answer or error_code(command),
    )
    ladder.hear(command)
    is_accepted = command.status == Status.ANSWERED and answer == "Accepted"
    if command.lane != Command.Lane.STOP:  # the zero of a stop that is ignored is no backstop
        backstop.hear(session, command)
        if command.action == backstop.INSTALL and session.status == _S.CHARGING:
            steering.plan_again(session)  # its last step may be lower now
    if command.action == START_ACTION and session.transaction_id is None:
        _start_resolved(session, command, is_accepted=is_accepted)
    if command.action == STOP_ACTION and session.status == _S.STOPPING:
        _stop_resolved(session, command, is_accepted=is_accepted)


def _start_resolved(session: ChargingSession, command: Command, *, is_accepted: bool) -> None:
    """Accepted: it must begin in time. Refused: it is over. Cut off: its answer may yet show."""
    is_refused = command.status == Status.ANSWERED or error_code(command) != "disconnected"
    if is_accepted:
        allowed = dt.timedelta(seconds=session.station.connection_timeout_s) + START_GRACE
        session.due_at = timezone.now() + allowed
        session.save(update_fields=["due_at"])
    elif session.status == _S.STARTING and is_refused and backstop.start_without(session, command):
        return
    elif is_refused and session.status in PENDING:
        is_silent = command.status in (Status.TIMED_OUT, Status.EXPIRED)
        code = "station_timeout" if is_silent else "station_rejected"
        give_up(session, error_code=code, actor="station")
    elif is_refused and session.status == _S.STOPPING and command.status != Status.TIMED_OUT:
        complete_cancelled(session)


def _stop_resolved(session: ChargingSession, command: Command, *, is_accepted: bool) -> None:
    """Silence has lasted longer than a stop may wait to be sent again."""
    if command.status == Status.TIMED_OUT:
        ask_station_to_stop(session)
    elif command.status == Status.ANSWERED and not is_accepted:
        _stop_refused(session)


def _stop_refused(session: ChargingSession) -> None:
    """A driver's stop that the station refused leaves the session running; a limit's goes on.

    A station that accepted an earlier one refuses its repeat: it has ended the transaction, and
    its StopTransaction is on the way. One that may have been limited to zero would stay so.
    """
    if _was_stop_accepted(session) or ladder.may_stand_still(session):
        return
    if session.stop_requested_by in ("driver", "staff"):
        session.stop_requested_by, session.stop_requested_at = "", None
        session.save(update_fields=["stop_requested_by", "stop_requested_at"])
        move(session, _S.CHARGING, actor="station", answer="Rejected")
        steering.plan_again(session)
        ladder.close(session)


def _was_stop_accepted(session: ChargingSession) -> bool:
    return Command.objects.filter(
        reference=session.reference, action=STOP_ACTION, response__status="Accepted"
    ).exists()
