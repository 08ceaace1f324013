"""What staff may do about a station that does not stop, and what Kubat may do in their place.

Unlock and reset end the charge of a station that obeys them; a connector that is barred goes on
with the one it has. Each takes the station's lock first: it says what else is charging there.
"""

import datetime as dt
import uuid
from typing import Any

from django.conf import settings
from django.db import transaction

from billing.models import User
from stations import commands, registry
from stations.apart import apart
from stations.errors import ChargeRunning
from stations.models import Command, Connector, ConnectorStatus, Station

from ..errors import StopNotGoingOn
from ..models import ChargingSession, SessionEvent, SessionStatus, StopStep
from ..models.session import OPEN
from . import ladder

Kind, Outcome = StopStep.Kind, StopStep.Outcome
RESET = "Reset"
FIRST_RESET_AFTER = dt.timedelta(seconds=10)
HARD_RESET_AFTER = dt.timedelta(seconds=60)
"""A soft reset ends charges in order and boots: this long a station may take for it."""
_S = Connector.Status
FREE = (_S.AVAILABLE, _S.PREPARING, _S.FINISHING, _S.RESERVED)
"""What no connector is that has a transaction."""


def is_going_on(session: ChargingSession) -> bool:
    """Whether a session's station was asked to end its transaction, and has not."""
    if session.transaction_id is None or session.stop_received_at is not None:
        return False
    is_asked = session.status == SessionStatus.STOPPING
    return is_asked or session.stop_steps.going_on().exists()


def others_at(session: ChargingSession) -> list[ChargingSession]:
    """The other open sessions of its station, which a reset would end, too."""
    others = ChargingSession.objects.open().filter(station_id=session.station_id)
    return list(others.exclude(pk=session.pk).order_by("connector_id"))


def unlock(*, session_id: uuid.UUID, actor: User, reason: str) -> Command:
    """Have the connector of an ignored stop unlocked (OCPP 1.6 §5.18 UnlockConnector).

    Raises SessionNotFound, StopNotGoingOn, StationOffline.
    """
    with transaction.atomic():
        session = _lock(session_id)
        payload = {"connectorId": session.connector_id}
        return _ask(session, Kind.UNLOCK, "UnlockConnector", payload, actor=actor, reason=reason)


def reset(
    *, session_id: uuid.UUID, is_hard: bool, even_so: bool, actor: User, reason: str
) -> Command:
    """Have the station of an ignored stop reset (OCPP 1.6 §5.14 Reset).

    `even_so` says that the other charges there may end with it, else ChargeRunning is raised.
    Raises SessionNotFound, StopNotGoingOn, StationOffline.
    """
    with transaction.atomic():
        session = _lock(session_id)
        if not even_so and others_at(session):
            raise ChargeRunning
        kind = Kind.HARD_RESET if is_hard else Kind.SOFT_RESET
        return _ask(session, kind, RESET, _reset_payload(kind), actor=actor, reason=reason)


def bar(*, session_id: uuid.UUID, actor: User, reason: str) -> Command:
    """Take the connector out of service, so that nobody starts there after this charge.

    It ends nothing (OCPP 1.6 §5.2 ChangeAvailability). Raises SessionNotFound, StopNotGoingOn,
    StationOffline.
    """
    with transaction.atomic():
        session = _lock(session_id)
        payload = {"connectorId": session.connector_id, "type": "Inoperative"}
        return _ask(session, Kind.BAR, ladder.BAR, payload, actor=actor, reason=reason)


def run_due(now: dt.datetime) -> int:
    """Look at the stops that an operator was told of; return how many. The worker calls it.

    Those that are over are closed, and with CSMS_RESET_ON_IGNORED_STOP a station that charges
    nobody else is reset.
    """
    alerted = StopStep.objects.going_on().filter(kind=Kind.ALERT)
    session_ids = list(alerted.order_by("taken_at").values_list("session_id", flat=True))
    for session_id in session_ids:
        apart(_look, session_id, now)
    return len(session_ids)


def is_reset_wanted(command: Command, session: ChargingSession) -> bool:
    """Whether a reset that nobody asked for may still go out: a charge may have begun meanwhile.

    The caller holds the locks of the station and of the session.
    """
    if command.action != RESET or command.requested_by_id is not None:
        return True
    return is_going_on(session) and not others_at(session)


def _lock(session_id: uuid.UUID) -> ChargingSession:
    """Lock a session behind its station. Raises SessionNotFound, StopNotGoingOn."""
    session = _locked(session_id)
    if not is_going_on(session):
        raise StopNotGoingOn
    return session


def _locked(session_id: uuid.UUID) -> ChargingSession:
    own = ChargingSession.objects.filter(pk=session_id).values("station")
    station = Station.objects.select_for_update(no_key=True, of=("self",))
    list(station.filter(pk__in=own).order_by())
    return ChargingSession.objects.locked(session_id)


def _ask(
    session: ChargingSession,
    kind: StopStep.Kind,
    action: str,
    payload: dict[str, Any],
    *,
    actor: User,
    reason: str,
) -> Command:
    """Queue what staff decided, ahead of other calls, and write it down as a step."""
    command = registry.ask_station(
        station=session.station,
        action=action,
        payload=payload,
        by=actor,
        reason=reason,
        reference=session.reference,
        lane=Command.Lane.STOP,
    )
    ladder.take(session, kind, command=command, asked_by=actor, reason=reason)
    session.note(SessionEvent.Kind.STAFF, actor=actor.username, did=kind.value, reason=reason)
    return command


def _look(session_id: uuid.UUID, now: dt.datetime) -> None:
    with transaction.atomic():
        session = _locked(session_id)
        steps = ladder.steps_of(session)
        alerted = next((step for step in steps if step.kind == Kind.ALERT), None)
        if alerted is None:
            return  # it ended since
        if _is_over_there(session, alerted):
            ladder.close(session)
        elif settings.CSMS_RESET_ON_IGNORED_STOP and session.station.is_online:
            _reset_by_itself(session, steps, alerted, now)


def _is_over_there(session: ChargingSession, alerted: StopStep) -> bool:
    """Whether a session that was settled without its station has ended there all the same.

    Some stations lose a transaction with a reset and never tell of its end; but a connector that
    charges again, or is free, is not charging this session.
    """
    if session.status in OPEN:
        return False
    here = {"station_id": session.station_id, "connector_id": session.connector_id}
    later = ChargingSession.objects.filter(**here, transaction_id__gt=session.transaction_id)
    if later.exists():
        return True
    told = ConnectorStatus.objects.filter(**here, received_at__gt=alerted.taken_at)
    latest = told.order_by("-received_at", "-id").first()
    return latest is not None and latest.status in FREE


def _reset_by_itself(
    session: ChargingSession, steps: list[StopStep], alerted: StopStep, now: dt.datetime
) -> None:
    """Reset the station, first softly; once each, and only where nobody else charges."""
    kind = _next_reset(steps, alerted, now)
    if kind is None or others_at(session):
        return
    command = commands.send(
        station=session.station,
        action=RESET,
        payload=_reset_payload(kind),
        lane=Command.Lane.STOP,
        reference=session.reference,
        timeout_s=settings.CSMS_CALL_TIMEOUT_S,
        expires_in_s=registry.ASKED_EXPIRES_S,
    )
    ladder.take(session, kind, command=command)


def _next_reset(steps: list[StopStep], alerted: StopStep, now: dt.datetime) -> StopStep.Kind | None:
    """Which reset is due; one that did not go out is no reset."""
    resets = [
        step for step in steps if step.kind in StopStep.RESETS and step.outcome != Outcome.NOT_SENT
    ]
    if not resets:
        return Kind.SOFT_RESET if now >= alerted.taken_at + FIRST_RESET_AFTER else None
    last = resets[-1]
    is_in_time = last.answered_at is None or now < last.answered_at + HARD_RESET_AFTER
    return None if last.kind == Kind.HARD_RESET or is_in_time else Kind.HARD_RESET


def _reset_payload(kind: StopStep.Kind) -> dict[str, str]:
    return {"type": "Hard" if kind == Kind.HARD_RESET else "Soft"}
