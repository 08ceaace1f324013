"""What happens because time passes: starts that never begin, stops that never end, silence."""

import datetime as dt
import uuid

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from billing.energy import Wh
from stations import alerts, commands
from stations.apart import apart
from stations.models import Alert, Command, Station

from ..models import ChargingSession, SessionEvent, SessionStatus
from . import calls
from .bill import price_session
from .limits import LOOK_EVERY, is_reached, is_silent, next_look, projected_wh
from .notices import expect_loss, tell_of_return
from .settle import STOP_IGNORED, complete_cancelled, give_up, settle_on_last_reading
from .start import START_ACTION
from .stopping import RESEND_AFTER, ask_station_to_stop, begin_stopping

_S = SessionStatus
AFTER_A_FAULT = dt.timedelta(minutes=1)


def run_due(now: dt.datetime, *, limit: int = 100) -> int:
    """Do what is due at `now`, one transaction a row; return how many rows were looked at.

    Called by the worker about once a second, by any number of workers at once.
    """
    overdue = commands.overdue(now)
    for command_id, status in overdue:
        apart(_end_command, command_id, status)
    moved = _lost_now() + _found_now()
    for session_id in moved:
        apart(_note_presence, session_id, now)
    due = ChargingSession.objects.filter(due_at__lte=now).order_by("due_at")
    session_ids = list(due.values_list("pk", flat=True)[:limit])
    for session_id in session_ids:
        if not apart(_look, session_id, now):
            ChargingSession.objects.filter(pk=session_id).update(due_at=now + AFTER_A_FAULT)
    return len(overdue) + len(moved) + len(session_ids)


def _end_command(command_id: uuid.UUID, status: Command.Status) -> None:
    if status == Command.Status.EXPIRED:
        calls.record_expiry(command_id)
    else:
        calls.record_silence(command_id)


def _lost_now() -> list[uuid.UUID]:
    """Running sessions whose station has gone since the last look.

    It looks at the stations of running sessions only: every second, all of them are too many.
    """
    is_online = Exists(Station.objects.online().filter(pk=OuterRef("station")))
    sessions = ChargingSession.objects.running().filter(~is_online, lost_at__isnull=True)
    return list(sessions.filter(transaction_id__isnull=False).values_list("pk", flat=True))


def _found_now() -> list[uuid.UUID]:
    """Lost sessions whose station is there: the lease of its process had run out for a while."""
    sessions = ChargingSession.objects.running().filter(lost_at__isnull=False)
    online = Station.objects.online().values("pk")
    return list(sessions.filter(station__in=online).values_list("pk", flat=True))


def _note_presence(session_id: uuid.UUID, now: dt.datetime) -> None:
    """Write down whether the station of a running session is lost."""
    with transaction.atomic():
        session = ChargingSession.objects.locked(session_id)
        is_lost = not session.station.is_online
        if is_lost == (session.lost_at is not None):
            return
        tell_of_return(session)
        session.lost_at = now if is_lost else None
        session.save(update_fields=["lost_at"])
        if is_lost:
            _look_again(session, min(session.due_at or now, _given_up_at(now)))
            session.note(SessionEvent.Kind.FLAGGED, actor="kubat", flag="lost")
            expect_loss(session)


def _look(session_id: uuid.UUID, now: dt.datetime) -> None:
    """Look at one session again under its lock; another worker may have been faster."""
    with transaction.atomic():
        session = (
            ChargingSession.objects.select_for_update(
                of=("self",), no_key=True, skip_locked=_can_skip()
            )
            .select_related("station")
            .filter(pk=session_id, due_at__lte=now)
            .first()
        )
        if session:
            _LOOKS[SessionStatus(session.status)](session, now)


def _can_skip() -> bool:
    return connection.features.has_select_for_update_skip_locked


def _look_at_requested(session: ChargingSession, now: dt.datetime) -> None:
    commands.withdraw(session.reference)
    give_up(session, error_code="station_timeout", actor="kubat")


def _look_at_starting(session: ChargingSession, now: dt.datetime) -> None:
    was_accepted = Command.objects.filter(
        reference=session.reference, action=START_ACTION, status=Command.Status.ANSWERED
    ).exists()
    code = "start_expired" if was_accepted else "station_timeout"
    give_up(session, error_code=code, actor="kubat")


def _look_at_charging(session: ChargingSession, now: dt.datetime) -> None:
    if _is_lost_for_good(session, now):
        settle_on_last_reading(session, reason="lost")
    elif _is_projected_to_limit(session, now):
        begin_stopping(session, by="limit", actor="kubat")
    else:
        _look_again(session, next_look(session, now))


def _look_at_stopping(session: ChargingSession, now: dt.datetime) -> None:
    asked_at = session.stop_requested_at or now
    if session.transaction_id is None:
        complete_cancelled(session)
    elif now >= asked_at + dt.timedelta(seconds=settings.CSMS_STOP_TIMEOUT_S):
        settle_on_last_reading(session, reason="stop_timeout")
        alerts.open_alert(
            STOP_IGNORED,
            str(session.pk),
            f"{session.station} does not end transaction {session.transaction_id}.",
            station=session.station,
            severity=Alert.Severity.CRITICAL,
        )
    elif _is_lost_for_good(session, now):
        settle_on_last_reading(session, reason="lost")
    else:
        ask_station_to_stop(session)
        _look_again(session, now + RESEND_AFTER)


def _look_at_ended(session: ChargingSession, now: dt.datetime) -> None:
    _look_again(session, None)


_LOOKS = {
    _S.REQUESTED: _look_at_requested,
    _S.STARTING: _look_at_starting,
    _S.CHARGING: _look_at_charging,
    _S.STOPPING: _look_at_stopping,
    _S.COMPLETED: _look_at_ended,
    _S.REVIEW: _look_at_ended,
    _S.ERROR: _look_at_ended,
}


def _look_again(session: ChargingSession, at: dt.datetime | None) -> None:
    session.due_at = at
    session.save(update_fields=["due_at"])


def _is_lost_for_good(session: ChargingSession, now: dt.datetime) -> bool:
    return session.lost_at is not None and now >= _given_up_at(session.lost_at)


def _given_up_at(lost_at: dt.datetime) -> dt.datetime:
    return lost_at + dt.timedelta(seconds=settings.CSMS_LOST_AFTER_S)


def _is_projected_to_limit(session: ChargingSession, now: dt.datetime) -> bool:
    """Whether the limit is reached; a silent session's by the next look, at full power till then.

    Before its silence is long enough a session is judged by what it reported, and by the time. The
    end of a time that was bought is looked at when it comes, so there is no need to look ahead.
    """
    is_quiet = is_silent(session, now)
    is_looked_ahead = is_quiet and session.limit_type != session.LimitType.TIME
    until = now + LOOK_EVERY if is_looked_ahead else now
    energy_wh = projected_wh(session, until) if is_quiet else Wh(session.energy_wh)
    total = price_session(session, energy_wh=energy_wh, until=until).bill.total
    return is_reached(session, energy_wh=energy_wh, total=total, soc=None, now=now)
