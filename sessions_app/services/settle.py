"""The end of a session: price it, take the money, free the rest; and correct it afterwards."""

import datetime as dt

from django.utils import timezone

from billing.money import Minor
from billing.pricing import Bill
from stations import alerts
from stations.models import Alert

from ..models import ChargingSession, SessionEvent, SessionStatus
from .bill import Priced, delivered_wh, price_session, recompute, session_time
from .books import book
from .ending import Ending
from .holds import release_hold, shrink_hold
from .notices import tell_of_correction, tell_of_end, tell_of_failure
from .plausible import CLOCK_CHANGED, Doubt, doubt
from .receipts import document

STOP_IGNORED, REVIEW = "stop_ignored", "review"
"""Kinds of alerts; a session has at most one open alert of each."""
RESTORED = "restored"
"""Alert and flag of a session that ran when the backup was made which was restored since."""

OFFLINE, UNFUNDED = "offline", "unfunded"
"""Flags of a start that was replayed: with money to hold for it, and without."""

ON_LAST_READING = ("lost", "stop_timeout", "superseded")
"""Reasons for which we end a session on what we know, and not on what someone states."""


def settle(session: ChargingSession, ending: Ending) -> None:
    """Complete a running or reviewed session on this ending. The caller holds its lock."""
    priced = _conclude(session, ending)
    _complete(session, priced.bill, actor=ending.actor)


def settle_as_stated(session: ChargingSession, amount: Minor, *, actor: str) -> None:
    """Complete a reviewed session on the bill that it has, of which its driver pays `amount`."""
    session.stated_minor = amount
    _complete(session, recompute(session), actor=actor)


def settle_or_review(session: ChargingSession, ending: Ending, doubtful: Doubt | None) -> None:
    """Complete a session on this ending, or leave it to an operator where that is in doubt."""
    if doubtful is None:
        settle(session, ending)
    else:
        put_in_review(
            session, ending, cause=doubtful.cause, plausible_minor=doubtful.plausible_minor
        )


def settle_on_last_reading(session: ChargingSession, *, reason: str, actor: str = "kubat") -> None:
    """End a session whose station does not; a later stop corrects the bill.

    It goes to review where its readings cannot be true.
    """
    ending = last_ending(session, reason=reason, actor=actor)
    settle_or_review(session, ending, doubt(session, ending))


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
    _tell_of_shortfall(session, priced.bill)
    tell_of_correction(session, Minor(before))
    document(session, priced.bill)


def put_in_review(
    session: ChargingSession, ending: Ending, *, cause: str, plausible_minor: Minor
) -> None:
    """Leave the price to an operator; only `plausible_minor` stays on hold (P8).

    A session that is in review already, and whose station tells more, stays there.
    """
    _conclude(session, ending)
    session.due_at = None
    session.cost_minor = min(session.cost_minor, plausible_minor)
    session.flags = sorted({*session.flags, cause})
    session.save()
    shrink_hold(session, plausible_minor, actor=ending.actor)
    if session.status == SessionStatus.REVIEW:
        session.note(SessionEvent.Kind.FLAGGED, actor=ending.actor, flag=cause)
    else:
        session.move_to(SessionStatus.REVIEW, actor=ending.actor, cause=cause)
    alerts.open_alert(
        REVIEW,
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
    tell_of_failure(session)


def complete_cancelled(session: ChargingSession) -> None:
    """End a start that was cancelled and did not begin after all."""
    release_hold(session)
    session.stop_reason = "cancelled"
    session.ended_at = timezone.now()
    session.due_at = None
    session.save()
    session.move_to(SessionStatus.COMPLETED, actor="kubat", reason="cancelled")


def last_ending(session: ChargingSession, *, reason: str, actor: str) -> Ending:
    """An ending on the last that was heard of a session's meter; its clock is flagged if odd."""
    moment = _last_moment(session)
    if moment is None:
        session.flags = sorted({*session.flags, CLOCK_CHANGED})
    return Ending(session.meter_last_wh, moment or _last_heard(session), reason, actor)


def last_moment(session: ChargingSession) -> dt.datetime:
    """Our time of the last that was heard of a session's meter."""
    return _last_moment(session) or _last_heard(session)


def _last_moment(session: ChargingSession) -> dt.datetime | None:
    last = session.readings.order_by("-at").first()
    return session_time(session, last.at, last.received_at) if last else _last_heard(session)


def _last_heard(session: ChargingSession) -> dt.datetime:
    return session.last_reading_at or session.started_at or timezone.now()


def _complete(session: ChargingSession, bill: Bill, *, actor: str) -> None:
    """Take the money that a bill says, free the rest, and say that it is done."""
    session.cost_minor = book(session, bill)
    session.ended_at = timezone.now()
    session.due_at = None
    session.save()
    session.move_to(SessionStatus.COMPLETED, actor=actor, reason=session.stop_reason)
    session.note(
        SessionEvent.Kind.SETTLED,
        actor=actor,
        total_minor=bill.total,
        paid_minor=session.cost_minor,
    )
    for kind in (STOP_IGNORED, REVIEW):
        alerts.resolve_alert(kind, str(session.pk))
    _tell_of_shortfall(session, bill)
    tell_of_end(session)
    document(session, bill)


def _conclude(session: ChargingSession, ending: Ending) -> Priced:
    """Write energy, times, reason and bill of this ending on the session, unsaved."""
    session.energy_wh = delivered_wh(session, ending.register_wh)
    session.stopped_at = ending.at
    session.stop_reason = ending.reason
    priced = price_session(session, energy_wh=session.energy_wh, until=ending.at)
    session.bill = priced.to_json()
    return priced


def _tell_of_shortfall(session: ChargingSession, bill: Bill) -> None:
    """An offline start that its driver could not pay is the operator's loss, and is told."""
    is_offline = OFFLINE in session.flags or UNFUNDED in session.flags
    if is_offline and session.stated_minor is None and bill.total > session.cost_minor:
        alerts.open_alert(
            "unfunded_charge",
            str(session.pk),
            f"A charge at {session.station} was delivered without money to pay for it.",
            station=session.station,
            severity=Alert.Severity.WARNING,
        )
