"""What a session does to the books: the driver's part, the tax in it, the operator's loss.

One function brings the books to what a session's bill says, whether for the first time or as a
correction: it posts the difference to what is booked, so repeating it changes nothing.
"""

from decimal import Decimal

from django.db.models import Sum

from billing import ledger
from billing.models import Account, Transfer, User
from billing.money import Minor, round_minor
from billing.pricing import Bill

from ..models import ChargingSession

Kind, Code = Account.Kind, Transfer.Code


def lock_accounts(*drivers: User | None) -> None:
    """Lock these drivers' accounts and the operator's in order of id, before any money moves."""
    own = [ledger.house(kind) for kind in (Kind.SALES, Kind.TAX, Kind.LOSS)]
    ledger.lock(*own, *(ledger.account_of(driver) for driver in drivers if driver))


def book(session: ChargingSession, bill: Bill) -> Minor:
    """Take what the bill says, at most the hold; return what the driver has paid in all.

    The hold is captured the first time. After that a higher cost is collected from what is
    available and a lower one is refunded. What stays unpaid is the operator's loss (P1). An
    amount that an operator stated in review is the most that is ever taken.
    """
    lock_accounts(session.user)
    most = session.hold_minor if session.stated_minor is None else session.stated_minor
    wanted = Minor(min(bill.total, session.hold_minor, most))
    pending = ledger.pending_hold(session.reference)
    if pending:
        ledger.capture(pending, wanted)
    if session.user:
        _correct(session, session.user, wanted)
    paid = paid_minor(session)
    _bring_to(session, Code.TAX, Kind.SALES, Kind.TAX, tax_in(paid, bill))
    _bring_to(session, Code.LOSS, Kind.LOSS, Kind.SALES, Minor(bill.total - paid))
    return paid


def tax_in(paid: Minor, bill: Bill) -> Minor:
    """The tax in what was paid, when that is less than the bill: its share, rounded once."""
    return round_minor(Decimal(bill.tax * paid) / bill.total) if bill.total else Minor(0)


def paid_minor(session: ChargingSession) -> Minor:
    """What the driver has paid for a session: captured, collected later, less refunds."""
    codes = (Code.CHARGE, Code.CORRECTION)
    return Minor(
        _sum(session, codes, debit__kind=Kind.CUSTOMER)
        - _sum(session, codes, credit__kind=Kind.CUSTOMER)
    )


def _correct(session: ChargingSession, driver: User, wanted: Minor) -> None:
    account, sales = ledger.account_of(driver), ledger.house(Kind.SALES)
    difference = wanted - paid_minor(session)
    collect = min(difference, account.available_minor)
    if collect > 0:
        _post(session, Code.CORRECTION, account, sales, collect)
    elif difference < 0:
        _post(session, Code.CORRECTION, sales, account, -difference)


def _bring_to(
    session: ChargingSession,
    code: Transfer.Code,
    debit: Account.Kind,
    credit: Account.Kind,
    target: Minor,
) -> None:
    """Post what is missing until `code` has moved `target` from debit to credit in all."""
    booked = _sum(session, (code,), debit__kind=debit) - _sum(session, (code,), credit__kind=debit)
    if target > booked:
        _post(session, code, ledger.house(debit), ledger.house(credit), target - booked)
    elif target < booked:
        _post(session, code, ledger.house(credit), ledger.house(debit), booked - target)


def _post(
    session: ChargingSession, code: Transfer.Code, debit: Account, credit: Account, amount: int
) -> None:
    count = Transfer.objects.filter(reference=session.reference, code=code).count()
    ledger.post(
        key=f"{code}:{session.pk}:{count + 1}",
        code=code,
        debit=debit,
        credit=credit,
        amount=Minor(amount),
        reference=session.reference,
    )


def _sum(session: ChargingSession, codes: tuple[Transfer.Code, ...], **side: Account.Kind) -> int:
    moved = Transfer.objects.filter(
        reference=session.reference,
        code__in=codes,
        kind__in=(Transfer.Kind.POSTED, Transfer.Kind.CAPTURED),
        **side,
    )
    return moved.aggregate(sum=Sum("amount_minor"))["sum"] or 0
