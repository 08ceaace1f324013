"""Do fees, returns and terminal payments match the books, and is every webhook decided?"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence

from django.db.models import Q, QuerySet

from billing.models import (
    Account,
    Payment,
    PaymentReturn,
    PaymentWebhook,
    TerminalPayment,
    Transfer,
)
from billing.money import to_text
from billing.payments.osmp import PROVIDER as TERMINALS
from billing.payments.osmp import Result

from .batches import ids_in, in_batches
from .finding import Finding

UNDECIDED_AT_MOST = dt.timedelta(hours=2)
"""A webhook that finds its provider away is decided by the worker's next question."""
RETURNED_WITHIN = dt.timedelta(hours=8)
"""The outbox gives a refund up after some six hours."""

Code, Outcome = Transfer.Code, PaymentWebhook.Outcome
RETURNS = (Code.REFUND, Code.CHARGEBACK)


def check_payments(now: dt.datetime) -> Iterator[Finding]:
    """All checks on what providers, terminals and banks did."""
    yield from check_fees()
    yield from check_returns()
    yield from check_unpaid_moves()
    yield from check_overdue_returns(now)
    yield from check_webhooks(now)
    yield from check_terminals()


def check_fees() -> Iterator[Finding]:
    """The fee that a payment names is the fee that was booked, in one transfer."""
    rows = Payment.objects.filter(fee_minor__gt=0).order_by("pk")
    for batch in in_batches(rows.iterator()):
        booked = _sums(batch, (Code.FEE,), Account.Kind.FEES)
        for row in batch:
            if booked[row.reference] != row.fee_minor:
                yield Finding(
                    "fee_wrong",
                    f"top-up {row.pk}",
                    "The fee in the books is not the fee of the payment.",
                    expected=to_text(row.fee_minor or 0),
                    found=to_text(booked[row.reference]),
                )


def check_returns() -> Iterator[Finding]:
    """What left for a payment's refunds and chargebacks is what its returns say."""
    rows = Payment.objects.filter(returns__isnull=False).distinct().order_by("pk")
    for batch in in_batches(rows.prefetch_related("returns").iterator(chunk_size=500)):
        from_customers = _sums(batch, RETURNS, Account.Kind.CUSTOMER)
        from_loss = _sums(batch, RETURNS, Account.Kind.LOSS)
        for row in batch:
            counted = [one for one in row.returns.all() if one.status != one.Status.FAILED]
            loss = sum(one.loss_minor for one in counted)
            amount = sum(one.amount_minor for one in counted)
            found = (from_customers[row.reference], from_loss[row.reference])
            if found != (amount - loss, loss):
                yield Finding(
                    "return_wrong",
                    f"top-up {row.pk}",
                    "What went back in the books (driver + loss) is not what the returns say.",
                    expected=f"{to_text(amount - loss)} + {to_text(loss)}",
                    found=" + ".join(map(to_text, found)),
                )
            if amount > row.amount_minor:
                yield Finding(
                    "returned_too_much",
                    f"top-up {row.pk}",
                    "More went back than came in.",
                    expected=f"at most {to_text(row.amount_minor)}",
                    found=to_text(amount),
                )


def check_unpaid_moves() -> Iterator[Finding]:
    """A fee, refund or chargeback in the books belongs to a payment that says so."""
    moves = Transfer.objects.filter(code__in=(Code.FEE, *RETURNS)).order_by("pk")
    for batch in in_batches(moves.iterator()):
        ids = ids_in((row.reference for row in batch), "payment")
        with_fee = _references(Payment.objects.filter(pk__in=ids, fee_minor__gt=0))
        returned = _references(Payment.objects.filter(pk__in=ids, returns__isnull=False))
        for row in batch:
            if row.reference not in (with_fee if row.code == Code.FEE else returned):
                yield Finding(
                    "moved_without_payment",
                    f"transfer {row.pk}",
                    f"A {row.get_code_display()} in the books belongs to no payment that has one.",
                    expected="a payment",
                    found=row.reference or "no reference",
                )


def check_overdue_returns(now: dt.datetime) -> Iterator[Finding]:
    """No refund waits for its provider for hours: a person has to look."""
    rows = PaymentReturn.objects.filter(
        status=PaymentReturn.Status.PENDING, created_at__lte=now - RETURNED_WITHIN
    )
    for row in rows.order_by("pk"):
        yield Finding(
            "refund_overdue",
            f"refund {row.pk}",
            "A refund has left the balance and was not made by its provider.",
            expected="done or failed",
            found=f"pending since {row.created_at:%Y-%m-%d %H:%M:%S}",
        )


def check_webhooks(now: dt.datetime) -> Iterator[Finding]:
    """A webhook that its provider signed is decided, or its payment was meanwhile."""
    open_ones = Q(outcome__in=(Outcome.RECEIVED, Outcome.UNANSWERED))
    rows = PaymentWebhook.objects.filter(open_ones, received_at__lte=now - UNDECIDED_AT_MOST)
    undecided = rows.filter(Q(payment__isnull=True) | Q(payment__status=Payment.Status.PENDING))
    for row in undecided.order_by("pk"):
        yield Finding(
            "webhook_undecided",
            f"webhook {row.pk} ({row.provider})",
            "A webhook came, and nobody knows what became of its payment.",
            expected="a decided payment",
            found=row.outcome,
        )


def check_terminals() -> Iterator[Finding]:
    """What a terminal was told is paid is a credited payment of that sum, and the reverse."""
    accepted = TerminalPayment.objects.filter(result=Result.OK).select_related("payment")
    for row in accepted.order_by("pk").iterator():
        payment = row.payment
        is_credited = payment is not None and payment.paid_at is not None
        if payment is None or not is_credited or payment.amount_minor != row.amount_minor:
            yield Finding(
                "terminal_not_credited",
                f"terminal payment {row.pk} ({row.terminal} {row.txn_id})",
                "A terminal was told that it paid, and no top-up of its sum was credited.",
                expected=to_text(row.amount_minor),
                found=to_text(payment.amount_minor) if payment and is_credited else "not credited",
            )
    for payment in Payment.objects.filter(provider=TERMINALS, terminal_payment__isnull=True):
        yield Finding(
            "terminal_unknown",
            f"top-up {payment.pk}",
            "A top-up by a terminal is in no register.",
            expected="a terminal payment",
            found=payment.provider_ref,
        )


def _sums(
    payments: Sequence[Payment], codes: Sequence[Transfer.Code], kind: Account.Kind
) -> defaultdict[str, int]:
    """What left accounts of this kind for each payment, less what came back."""
    sums: defaultdict[str, int] = defaultdict(int)
    rows = Transfer.objects.filter(
        code__in=codes, reference__in=[payment.reference for payment in payments]
    )
    for row in rows.select_related("debit", "credit"):
        if row.debit.kind == kind:
            sums[row.reference] += row.amount_minor
        if row.credit.kind == kind:
            sums[row.reference] -= row.amount_minor
    return sums


def _references(payments: QuerySet[Payment]) -> set[str]:
    return {payment.reference for payment in payments}
