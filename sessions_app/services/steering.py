"""Stop charging sessions at their limit and not after it (docs/adr/0080).

`plan` looks ahead at the start and after each reading: it writes when the stop must leave on the
row. The process that owns the socket keeps a timer for it, and calls `stop_due` and `ask_due`; the
worker looks at the row a little later, for a process that died. Who comes first stops it.
"""

import datetime as dt
import uuid
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from stations import commands
from stations.commands import error_code
from stations.models import Command, Station, StopHabit

from ..latency import KEPT, observed_s
from ..models import ChargingSession, SessionStatus
from ..outlook import Outlook
from ..running import Onward
from .ending import Ending
from .limits import next_look
from .outlooks import course_of, look_ahead, standing_plan
from .stopping import STOP_ACTION, begin_stopping

ASK = "TriggerMessage"
ASK_TIMEOUT_S = 3
ASK_LIFE_S = 5
REFUSED_FOR = dt.timedelta(hours=24)
BUSY_FOR = dt.timedelta(minutes=10)
NEVER = frozenset({"NotImplemented", "NotSupported"})
BY_US = ("", "Remote")
SOON = dt.timedelta(seconds=1)
"""A stop that was asked so soon after the decision is the one that it decided on."""


class Plan(NamedTuple):
    """What the process that owns its socket must do for a session, and when."""

    session_id: uuid.UUID
    outlook: Outlook


def plan(session: ChargingSession, now: dt.datetime) -> Onward:
    """Look ahead, and write on the session when its stop and its next look are due, unsaved."""
    onward = look_ahead(session, now)
    session.stop_at = onward.outlook.stop_at
    session.due_at = next_look(session, now)
    return onward


def plan_again(session: ChargingSession) -> None:
    """Look ahead anew where something else than a reading has changed: from the last reading."""
    plan(session, session.last_reading_at or timezone.now())
    session.version += 1
    session.save(update_fields=["stop_at", "due_at", "version"])


def is_stop_due(session: ChargingSession, now: dt.datetime) -> bool:
    """Whether its stop must leave by now."""
    return session.stop_at is not None and session.stop_at <= now


def stop_due(session_id: uuid.UUID, now: dt.datetime) -> Plan | None:
    """Stop a session whose moment has come; return what is to be done later instead, if anything.

    A reading, a raised limit or the worker may have been faster: the row says what counts.
    """
    with transaction.atomic():
        session = ChargingSession.objects.locked(session_id)
        if session.status != SessionStatus.CHARGING:
            return None
        if not is_stop_due(session, now):
            return Plan(session_id, Outlook(session.stop_at, session.stop_at, None))
        begin_stopping(session, by="limit", actor="kubat")
        return None


def ask_due(session_id: uuid.UUID) -> None:
    """Ask for a sample of a charging session now (OCPP 1.6 §5.17 TriggerMessage).

    Not where the station refused it lately, or is not to be asked anything of our own accord.
    """
    with transaction.atomic():
        session = ChargingSession.objects.select_related("station").get(pk=session_id)
        if session.status != SessionStatus.CHARGING or not _may_ask(session):
            return
        commands.send(
            station=session.station,
            action=ASK,
            payload={"requestedMessage": "MeterValues", "connectorId": session.connector_id},
            lane=Command.Lane.OWN,
            reference=session.reference,
            timeout_s=ASK_TIMEOUT_S,
            expires_in_s=ASK_LIFE_S,
            is_bound=True,
        )


def hear(command: Command) -> None:
    """Take note of a station that refuses to send samples when it is asked.

    One that does not know the call is left alone for a day, one that says no for some minutes.
    """
    if not command.reference.startswith("session:"):
        return
    answer = (command.response or {}).get("status", "")
    is_unknown = answer in NEVER or error_code(command) in NEVER
    if is_unknown or answer == "Rejected":
        until = timezone.now() + (REFUSED_FOR if is_unknown else BUSY_FOR)
        StopHabit.objects.update_or_create(
            station_id=command.station_id, defaults={"refused_until": until}
        )


def learn(session: ChargingSession, ending: Ending, reason: str) -> None:
    """Learn from a stop that we asked for how long its station takes to obey.

    Only what the first RemoteStop brought about: a lost one says nothing of the next.
    """
    decided_at, stop_wh = session.stop_requested_at, ending.register_wh
    if decided_at is None or stop_wh is None or reason not in BY_US or not _obeyed(session):
        return
    course = course_of(session, until=decided_at)
    plan_there = standing_plan(session)
    if plan_there and plan_there.limit_w(ending.at) < course.power_w:
        return  # the plan at the station slowed it down: that says nothing of the stop
    took_s = observed_s(
        course,
        decided_at=decided_at,
        stop_wh=float(stop_wh - (session.meter_start_wh or 0)),
        ended_at=ending.at,
    )
    if took_s is None:
        return
    habit, _ = StopHabit.objects.get_or_create(station_id=session.station_id)
    habit.latencies_s = [*habit.latencies_s, round(took_s, 3)][-KEPT:]
    habit.save(update_fields=["latencies_s"])


def _may_ask(session: ChargingSession) -> bool:
    station: Station = session.station
    if not (settings.CSMS_PROVISION and station.is_provisioned):
        return False
    if station.supports("RemoteTrigger") is False:
        return False
    refused = StopHabit.objects.filter(station=station, refused_until__gt=timezone.now())
    asked = Command.objects.filter(reference=session.reference, action=ASK, status__in=Command.OPEN)
    return not refused.exists() and not asked.exists()


def _obeyed(session: ChargingSession) -> bool:
    """Whether the station accepted the first stop that was asked of it, at once."""
    first = (
        Command.objects.filter(reference=session.reference, action=STOP_ACTION)
        .order_by("created_at")
        .first()
    )
    if first is None or first.sent_at is None or session.stop_requested_at is None:
        return False
    if first.sent_at - session.stop_requested_at > SOON:
        return False
    # its StopTransaction may come before its answer: they cross
    return first.status == Command.Status.SENT or first.response == {"status": "Accepted"}
