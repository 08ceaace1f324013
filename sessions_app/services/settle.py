"""The end of a session: price it, take the money, free the rest; and correct it afterwards."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone

from billing.money import Minor
from stations import alerts
from stations.models import Alert

from ..models import ChargingSession, SessionEvent, SessionStatus
from .bill import Priced, delivered_wh, price_session, session_time
from .books import book
from .holds import release_hold, shrink_hold

STOP_IGNORED = "stop_ignored"
RESTORED = "restored"
"""Alert and flag of a session that ran when the backup was made which was restored since."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ends: the register in Wh, our time of it, why, and who says so."""

    register_wh: Decimal | None
    at: dt.datetime
    reason: str
    actor: str


def settle(session: ChargingSession, ending: Ending) -> None:
    """Complete a running or reviewed session on this ending. The caller holds its lock."""
    priced = _conclude(session, ending)
    session.cost_minor = book(session, priced.bill)
    session.ended_at = timezone.now()
    session.due_at = None
    session.save()
    session.move_to(SessionStatus.COMPLETED, actor=ending.actor, reason=ending.reason)
    session.note(
        SessionEvent.Kind.SETTLED,
        actor=ending.actor,
        total_minor=priced.bill.total,
        paid_minor=session.cost_minor,
    )
    alerts.resolve_alert(STOP_IGNORED, str(session.pk))
    _tell_of_shortfall(session)


def settle_on_last_reading(session: ChargingSession, *, reason: str, actor: str = "kubat") -> None:
    """Complete a session whose station does not end it; a later stop corrects the bill."""
    at = last_moment(session)
    settle(session, Ending(session.meter_last_wh, at, reason, actor))


def correct(session: ChargingSession, ending: Ending) -> None:
    """Bring a completed session to the truth that came later (design section 4, Corrections)."""
    before = session.cost_minor
    priced = _conclude(session, ending)
    session.cost_minor = book(session, priced.bill)
    session.save()
    session.note(
        SessionEvent.Kind.CORRECTED,
        actor=ending.actor,
        total_minor=priced.bill.total,
        paid_before_minor=before,
        paid_minor=session.cost_minor,
    )
    _tell_of_shortfall(session)


def put_in_review(
    session: ChargingSession, ending: Ending, *, cause: str, plausible_minor: Minor
) -> None:
    """Leave the price to an operator; only `plausible_minor` stays on hold (P8)."""
    _conclude(session, ending)
    session.due_at = None
    session.cost_minor = min(session.cost_minor, plausible_minor)
    session.flags = sorted({*session.flags, cause})
    session.save()
    shrink_hold(session, plausible_minor, actor=ending.actor)
    session.move_to(SessionStatus.REVIEW, actor=ending.actor, cause=cause)
    alerts.open_alert(
        "review",
        str(session.pk),
        f"A session at {session.station} waits for review: {cause}.",
        station=session.station,
    )


def book_loss(session: ChargingSession, ending: Ending) -> None:
    """Book what a start that could not hold again delivered: the operator's loss, never debt."""
    priced = _conclude(session, ending)
    session.cost_minor = book(session, priced.bill)
    session.save()


def give_up(session: ChargingSession, *, error_code: str, actor: str) -> None:
    """End a session that never began: free its hold, charge nothing."""
    release_hold(session)
    session.error_code = error_code
    session.ended_at = timezone.now()
    session.due_at = None
    session.save()
    session.move_to(SessionStatus.ERROR, actor=actor, error_code=error_code)


def complete_cancelled(session: ChargingSession) -> None:
    """End a start that was cancelled and did not begin after all."""
    release_hold(session)
    session.stop_reason = "cancelled"
    session.ended_at = timezone.now()
    session.due_at = None
    session.save()
    session.move_to(SessionStatus.COMPLETED, actor="kubat", reason="cancelled")


def last_moment(session: ChargingSession) -> dt.datetime:
    """Our time of the last that was heard of a session's meter."""
    last = session.readings.order_by("-at").first()
    moment = last and session_time(session, last.at, last.received_at)
    return moment or session.last_reading_at or session.started_at or timezone.now()


def _conclude(session: ChargingSession, ending: Ending) -> Priced:
    """Write energy, times, reason and bill of this ending on the session, unsaved."""
    session.energy_wh = delivered_wh(session, ending.register_wh)
    session.stopped_at = ending.at
    session.stop_reason = ending.reason
    priced = price_session(session, energy_wh=session.energy_wh, until=ending.at)
    session.bill = priced.to_json()
    return priced


def _tell_of_shortfall(session: ChargingSession) -> None:
    """An offline start that its driver could not pay is the operator's loss, and is told."""
    if "unfunded" in session.flags and session.energy_wh:
        alerts.open_alert(
            "unfunded_charge",
            str(session.pk),
            f"A charge at {session.station} was delivered without money to pay for it.",
            station=session.station,
            severity=Alert.Severity.WARNING,
        )
