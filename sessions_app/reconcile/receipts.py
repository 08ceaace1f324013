"""Is every sale documented, without a gap in the numbers, and does each document say what was paid?

Together with `bills.check_paid`, which compares a session's cost with the transfers, this proves
that receipts and corrections add up to what the books moved.
"""

import itertools
import uuid
from collections.abc import Iterator
from functools import partial

from django.db import transaction

from billing.models import Receipt, ReceiptCounter
from billing.money import to_text

from ..models import ChargingSession, SessionStatus
from ..services.bill import recompute
from ..services.receipts import document
from .batches import ids_in, in_batches
from .cases import Case
from .finding import Finding

AMOUNTS = ("total", "tax", "paid")


def check_receipt_numbers() -> Iterator[Finding]:
    """The numbers are 1, 2, 3, … up to the last that the counter gave."""
    numbers = Receipt.objects.order_by("number").values_list("number", flat=True)
    last = 0
    for number in numbers.iterator():
        if number != last + 1:
            yield _gap(last + 1, number - 1)
        last = number
    counter = ReceiptCounter.objects.first()
    given = counter.last if counter else 0
    if given > last:
        yield _gap(last + 1, given)
    elif given < last:
        yield Finding(
            "receipt_counter_wrong",
            "receipt counter",
            "The counter would give a number again.",
            expected=str(last),
            found=str(given),
        )


def check_sold() -> Iterator[Finding]:
    """Each document is about a session that exists."""
    references = Receipt.objects.order_by("number").values_list("number", "reference")
    for batch in in_batches(references.iterator()):
        ids = ids_in((reference for _, reference in batch), "session")
        sessions = ChargingSession.objects.filter(pk__in=ids).only("pk")
        known = {session.reference for session in sessions}
        for number, reference in batch:
            if reference not in known:
                yield Finding(
                    "receipt_of_unknown_session",
                    f"receipt {number}",
                    "A document is about a session that does not exist.",
                    expected="a session",
                    found=reference,
                )


def check_receipts(case: Case) -> Iterator[Finding]:
    """A session that was paid for has its receipt; its documents add up to its cost."""
    session = case.session
    cost = (
        session.cost_minor if session.status == SessionStatus.COMPLETED and session.user_id else 0
    )
    documented = sum(row.difference_minor for row in case.receipts)
    if cost and not case.receipts:
        yield Finding(
            "receipt_missing",
            case.subject,
            "A session that was paid for has no receipt.",
            expected=f"a receipt of {to_text(cost)}",
            found="none",
            fix=partial(issue_missing, session.pk),
        )
    elif documented != cost:
        yield Finding(
            "receipt_wrong",
            case.subject,
            "The receipt and its corrections do not add up to the session's cost.",
            expected=to_text(cost),
            found=to_text(documented),
        )
    yield from _check_documents(case)


def _check_documents(case: Case) -> Iterator[Finding]:
    """Each document goes on where the one before ended, and says what its row says."""
    for before, row in itertools.pairwise((None, *case.receipts)):
        assert row is not None
        paid_before = before.paid_minor if before else 0
        stated = {
            "total": to_text(row.total_minor),
            "tax": to_text(row.tax_minor),
            "paid": to_text(row.paid_minor),
        }
        is_stated = all(row.snapshot.get(name) == stated[name] for name in AMOUNTS)
        is_own = row.snapshot.get("number") == row.number
        if not (is_stated and is_own) or row.paid_minor != paid_before + row.difference_minor:
            yield Finding(
                "receipt_altered",
                f"receipt {row.number} ({case.subject})",
                "A document does not say what was issued.",
            )
        if row.user_id != case.session.user_id:
            yield Finding(
                "receipt_of_another",
                f"receipt {row.number} ({case.subject})",
                "A document is another user's than its session.",
                expected=str(case.session.user_id),
                found=str(row.user_id),
            )


def issue_missing(session_id: uuid.UUID) -> None:
    """Issue the receipt of a session that has none; once it has one this changes nothing."""
    with transaction.atomic():
        session = ChargingSession.objects.locked(session_id)
        if session.status == SessionStatus.COMPLETED and session.bill:
            document(session, recompute(session))


def _gap(first: int, last: int) -> Finding:
    return Finding(
        "receipt_number_missing",
        f"receipt {first}" if first == last else f"receipts {first} to {last}",
        "There is a gap in the numbers of the receipts.",
    )
