"""What Kubat does by itself when a station does not end a transaction that it was asked to end.

RemoteStop three times, then a charging profile of zero, then the operator is told; RemoteStop goes
on all the while. Each look of the worker takes one step at most, and what comes next follows from
the rows of the steps alone, so it is the same for any worker, now or after a restart. While the
station is offline nothing is taken: it goes on where it was. That a call was accepted counts for
nothing; that the transaction ended does (services/end closes the stop).
"""

import datetime as dt
from decimal import Decimal

from django.conf import settings

from stations import alerts, commands, standstill
from stations.models import Alert, Command

from ..models import STOP_IGNORED, ChargingSession, StopStep
from . import ladder
from .ladder import REMOTE_STOPS
from .stopping import ask_station_to_stop

Kind, Outcome = StopStep.Kind, StopStep.Outcome
PROFILE_TRIES = 3
"""How often the profile is sent whose answer a lost connection swallowed."""
AT_REST = dt.timedelta(seconds=5)
"""What a car takes to go down to nothing: what is told sooner after a profile says nothing."""
LEAST_POWER_W = 100
"""Below this a car that is plugged in charges nothing: it heats, or keeps its electronics."""


def go_on(session: ChargingSession) -> None:
    """Take the next step of a stop that has not ended its transaction, and ask for it again.

    The caller holds the lock of the session, which is `stopping` with a transaction.
    """
    if session.station.is_online:
        _escalate(session, ladder.steps_of(session))
    ask_station_to_stop(session)


def tell_operator(session: ChargingSession) -> None:
    """Open the alert that this stop is ignored, once a stop; the caller holds the lock."""
    steps = ladder.steps_of(session)
    if any(step.kind == Kind.ALERT for step in steps):
        return
    ladder.take(session, Kind.ALERT, outcome=Outcome.DONE)
    alerts.open_alert(
        STOP_IGNORED,
        str(session.pk),
        f"{session.station} does not end transaction {session.transaction_id}: "
        f"{_describe(session, steps)}.",
        station=session.station,
        severity=Alert.Severity.CRITICAL,
        session=str(session.pk),
        connector_id=session.connector_id,
    )


def _escalate(session: ChargingSession, steps: list[StopStep]) -> None:
    profiles = [step for step in steps if step.kind == Kind.ZERO_PROFILE]
    _judge(session, profiles)
    if not _is_asked_enough(steps):
        return
    if not _is_tried(profiles):
        if _limit_to_zero(session, profiles):
            return
    elif profiles[-1].outcome == Outcome.WAITING:
        return
    tell_operator(session)


def _is_asked_enough(steps: list[StopStep]) -> bool:
    """Whether RemoteStop went out often enough, and each had its answer or its time."""
    asked = [step.outcome for step in steps if step.kind == Kind.REMOTE_STOP]
    return len(asked) >= REMOTE_STOPS and Outcome.WAITING not in asked


def _is_tried(profiles: list[StopStep]) -> bool:
    """Whether the profile needs not be sent again: one that was cut off may not have arrived."""
    if not profiles:
        return False
    is_swallowed = profiles[-1].outcome in (Outcome.CUT_OFF, Outcome.NOT_SENT)
    return not is_swallowed or len(profiles) >= PROFILE_TRIES


def _limit_to_zero(session: ChargingSession, profiles: list[StopStep]) -> bool:
    """Queue a TxProfile of nothing; False where the station cannot take it.

    Whoever started the charge: its end was asked for already, the profile ends with the
    transaction, and what goes on flowing is paid by nobody (ADR 82). What else is queued for the
    profile of this charge would undo it. It goes with RemoteStop, before all other calls: a
    station that does not answer keeps the lane busy with those.
    """
    station = session.station
    if not standstill.is_possible(station):
        ladder.take(session, Kind.ZERO_PROFILE, outcome=Outcome.NOT_SUPPORTED)
        return False
    assert session.transaction_id is not None
    commands.withdraw(session.reference, action=standstill.ACTION)
    command = commands.send(
        station=station,
        action=standstill.ACTION,
        payload=standstill.request(
            station,
            connector_id=session.connector_id or 0,
            transaction_id=session.transaction_id,
        ),
        lane=Command.Lane.STOP,
        reference=session.reference,
        timeout_s=settings.CSMS_CALL_TIMEOUT_S,
        expires_in_s=settings.CSMS_STOP_TIMEOUT_S,
    )
    ladder.take(session, Kind.ZERO_PROFILE, command=command)
    return True


def _judge(session: ChargingSession, profiles: list[StopStep]) -> None:
    """A profile that was accepted and draws on all the same did not help."""
    for step in profiles:
        is_ignored = step.outcome == Outcome.ACCEPTED and step.answered_at is not None
        if is_ignored and _flows_since(session, step.answered_at):
            step.outcome = Outcome.NO_EFFECT
            step.save(update_fields=["outcome"])


def _flows_since(session: ChargingSession, answered_at: dt.datetime | None) -> bool:
    """Whether the readings that came since tell of a charge that goes on.

    The last one's power, else what the register gained between the first and the last of them:
    before the first it may have flowed by right.
    """
    assert answered_at is not None
    told = session.readings_since_start().filter(received_at__gte=answered_at + AT_REST)
    rows = list(told.order_by("at").values_list("register_wh", "power_w"))
    if rows and rows[-1][1] is not None:
        return rows[-1][1] > LEAST_POWER_W
    registers = [register for register, _ in rows if register is not None]
    return bool(registers) and registers[-1] - registers[0] >= Decimal(1)


def _describe(session: ChargingSession, steps: list[StopStep]) -> str:
    """What was tried, in a few words, for the alert."""
    asked = sum(step.kind == Kind.REMOTE_STOP for step in steps)
    told = [f"asked {asked} times" if asked != 1 else "asked once"]
    profiles = [step for step in steps if step.kind == Kind.ZERO_PROFILE]
    if profiles:
        told.append(f"limit of zero {Outcome(profiles[-1].outcome).label}")
    if not session.station.is_online:
        told.append("offline now")
    return ", ".join(told)
