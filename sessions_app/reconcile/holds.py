"""Does each session that must hold money hold exactly that, and no other any? (P2)"""

import uuid
from collections.abc import Iterator
from functools import partial

from django.db import transaction

from billing.models import Transfer
from billing.money import to_text

from ..models import ChargingSession, SessionEvent
from ..models.session import HOLDING
from ..services.books import paid_minor
from ..services.holds import release_hold
from .batches import ids_in, in_batches
from .cases import Case
from .finding import Finding

Code = Transfer.Code
SESSION_CODES = (Code.CHARGE, Code.TAX, Code.LOSS, Code.CORRECTION)


def check_hold(case: Case) -> Iterator[Finding]:
    """One unresolved hold of `hold_amount` from requested to stopping and in review; else none."""
    session, unresolved = case.session, case.unresolved
    if session.status not in HOLDING:
        yield from _check_left(case)
    elif len(unresolved) != (1 if session.hold_minor else 0):
        yield Finding(
            "hold_count_wrong",
            case.subject,
            f"A session in {session.status} has the wrong number of unresolved holds.",
            expected="1" if session.hold_minor else "0",
            found=str(len(unresolved)),
        )


def check_hold_amount(case: Case) -> Iterator[Finding]:
    """The last hold is of the session's amount, and of its driver's account."""
    session = case.session
    if not session.hold_minor or not case.holds:
        return
    last = case.holds[-1]
    if last.amount_minor != session.hold_minor:
        yield Finding(
            "hold_amount_wrong",
            case.subject,
            "The hold is not of the amount that the session states.",
            expected=to_text(session.hold_minor),
            found=to_text(last.amount_minor),
        )
    if last.debit.owner_id != session.user_id:
        yield Finding(
            "hold_of_another",
            case.subject,
            "The hold is on an account that is not the driver's.",
            expected=str(session.user_id),
            found=str(last.debit.owner_id),
        )


def check_within_hold(case: Case) -> Iterator[Finding]:
    """A session never takes more from its driver than its hold (P1)."""
    session = case.session
    taken = max(case.paid_minor, session.cost_minor)
    if taken > session.hold_minor:
        yield Finding(
            "taken_past_hold",
            case.subject,
            "More was taken or counted than was held.",
            expected=f"at most {to_text(session.hold_minor)}",
            found=to_text(taken),
        )


def _check_left(case: Case) -> Iterator[Finding]:
    """A hold that its session left behind is voided where the session's account is square."""
    is_square = case.paid_minor == case.session.cost_minor
    for row in case.unresolved:
        yield Finding(
            "hold_left",
            case.subject,
            f"A session in {case.session.status} still holds money.",
            expected=to_text(0),
            found=to_text(row.amount_minor),
            fix=partial(void_left, case.session.pk) if is_square else None,
        )


def void_left(session_id: uuid.UUID) -> None:
    """Free what an ended session still holds, if what it cost is paid."""
    with transaction.atomic():
        session = ChargingSession.objects.locked(session_id)
        if session.status in HOLDING or paid_minor(session) != session.cost_minor:
            return
        release_hold(session)
        session.note(SessionEvent.Kind.STAFF, actor="reconcile", did="void_left_hold")


def check_references() -> Iterator[Finding]:
    """What was held or moved for a session names one that exists."""
    references = (
        Transfer.objects.filter(code__in=SESSION_CODES)
        .order_by("reference")
        .values_list("reference", flat=True)
        .distinct()
        .iterator()
    )
    for batch in in_batches(references):
        sessions = ChargingSession.objects.filter(pk__in=ids_in(batch, "session"))
        known = {session.reference for session in sessions.only("pk")}
        unknown = [reference for reference in batch if reference not in known]
        held = Transfer.objects.pending().filter(reference__in=unknown)
        is_held = set(held.values_list("reference", flat=True))
        for reference in unknown:
            yield Finding(
                "hold_of_unknown_session"
                if reference in is_held
                else "transfer_of_unknown_session",
                f"reference {reference or '(none)'}",
                "Money was held or moved for a session that does not exist.",
            )
