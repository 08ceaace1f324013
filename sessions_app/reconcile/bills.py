"""Was each session paid for as its bill says, and does the bill follow from its periods? (P9)"""

from collections.abc import Iterator
from decimal import InvalidOperation

from billing.money import Minor, to_text
from billing.pricing import Bill

from ..models import SessionStatus
from ..services.bill import recompute
from ..services.books import tax_in
from .cases import Case
from .finding import Finding

BOOKED = (SessionStatus.COMPLETED, SessionStatus.ERROR)
"""States in which the books say what the bill says; in all others nothing is booked yet."""
COMPARED = ("currency", "lines", "total", "tax")


def check_bill(case: Case) -> Iterator[Finding]:
    """Recompute the bill, and compare it with what is stored and with what is booked."""
    session = case.session
    if session.bill is None:
        yield from _check_unbilled(case)
        return
    try:
        bill = recompute(session)
        stored = {name: session.bill[name] for name in COMPARED}
        energy_wh = sum(period["energy_wh"] for period in session.bill["periods"])
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        yield Finding("bill_unreadable", case.subject, f"The stored bill is damaged: {error!r}.")
        return
    yield from _compare(case, bill, stored)
    if energy_wh != session.energy_wh:
        yield Finding(
            "bill_energy_wrong",
            case.subject,
            "The periods of the bill do not add up to the session's energy in Wh.",
            expected=str(session.energy_wh),
            found=str(energy_wh),
        )
    if session.status in BOOKED:
        yield from _check_booked(case, bill)


def check_paid(case: Case) -> Iterator[Finding]:
    """What was captured and corrected is the cost; before a session is settled it is nothing."""
    session = case.session
    cost = session.cost_minor if session.status in BOOKED else 0
    if case.paid_minor != cost:
        yield Finding(
            "paid_wrong",
            case.subject,
            f"What a session in {session.status} took from its driver is not its cost.",
            expected=to_text(cost),
            found=to_text(case.paid_minor),
        )
    if session.status not in BOOKED and (case.loss_minor or case.tax_minor):
        yield Finding(
            "booked_early",
            case.subject,
            f"A session in {session.status} has loss or tax in the books.",
            expected=to_text(0),
            found=to_text(case.loss_minor or case.tax_minor),
        )


def _check_unbilled(case: Case) -> Iterator[Finding]:
    """Without a bill nothing was delivered: only a start that never began may end so."""
    session = case.session
    if session.status == SessionStatus.COMPLETED and session.transaction_id is not None:
        yield Finding("bill_missing", case.subject, "A session that was settled has no bill.")
    elif session.status in BOOKED and (session.cost_minor or case.loss_minor or case.tax_minor):
        yield Finding(
            "booked_without_bill",
            case.subject,
            "A session without a bill has a cost, loss or tax.",
            expected=to_text(0),
            found=to_text(session.cost_minor or case.loss_minor or case.tax_minor),
        )


def _compare(case: Case, bill: Bill, stored: dict[str, object]) -> Iterator[Finding]:
    computed = bill.to_json()
    for name in COMPARED:
        if computed[name] != stored[name]:
            yield Finding(
                "bill_wrong",
                case.subject,
                f"The {name} of the bill cannot be recomputed from its periods and tariff.",
                expected=str(computed[name]),
                found=str(stored[name]),
            )


def _check_booked(case: Case, bill: Bill) -> Iterator[Finding]:
    """Cost and loss make up the bill, and the tax is the tax in what was paid."""
    paid = case.session.cost_minor
    if case.loss_minor != bill.total - paid:
        yield Finding(
            "loss_wrong",
            case.subject,
            "The loss in the books is not what was delivered past the cost.",
            expected=to_text(bill.total - paid),
            found=to_text(case.loss_minor),
        )
    tax = tax_in(Minor(paid), bill)
    if case.tax_minor != tax:
        yield Finding(
            "tax_wrong",
            case.subject,
            "The tax in the books is not the tax in what was paid.",
            expected=to_text(tax),
            found=to_text(case.tax_minor),
        )
