"""Was every paid top-up credited once, and every credit paid for?"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator

from billing.models import Payment, Transfer
from billing.money import to_text

from .batches import ids_in, in_batches
from .finding import Finding

CREDITED = (Payment.Status.PAID, Payment.Status.REFUNDED)
PENDING_AT_MOST = dt.timedelta(days=1)


def check_credited() -> Iterator[Finding]:
    """A paid top-up has one transfer of its amount to its user's account."""
    paid = Payment.objects.filter(status__in=CREDITED).order_by("pk")
    for batch in in_batches(paid.iterator()):
        credits = _credits({_reference(row) for row in batch})
        for row in batch:
            given = credits[_reference(row)]
            if given != [(row.user_id, row.amount_minor)]:
                yield Finding(
                    "topup_not_credited",
                    f"top-up {row.pk}",
                    "A paid top-up is not credited once, in full, to its user.",
                    expected=to_text(row.amount_minor),
                    found=" + ".join(to_text(amount) for _, amount in given) or "no transfer",
                )


def check_paid_for() -> Iterator[Finding]:
    """Money comes in only by a top-up that was paid."""
    transfers = Transfer.objects.filter(code=Transfer.Code.TOPUP).order_by("pk")
    for batch in in_batches(transfers.iterator()):
        ids = ids_in((row.reference for row in batch), "payment")
        paid = Payment.objects.filter(pk__in=ids, status__in=CREDITED)
        references = {_reference(payment) for payment in paid}
        for row in batch:
            if row.reference not in references:
                yield Finding(
                    "credited_without_topup",
                    f"transfer {row.pk}",
                    f"{to_text(row.amount_minor)} came in without a paid top-up.",
                    expected="a paid top-up",
                    found=row.reference or "no reference",
                )


def check_pending(now: dt.datetime) -> Iterator[Finding]:
    """No top-up stays pending for days: it is paid, failed or expired."""
    rows = Payment.objects.filter(
        status=Payment.Status.PENDING, created_at__lte=now - PENDING_AT_MOST
    )
    for row in rows.order_by("pk"):
        yield Finding(
            "topup_overdue",
            f"top-up {row.pk}",
            "A top-up has been pending for more than a day.",
            expected="paid, failed or expired",
            found=f"pending since {row.created_at:%Y-%m-%d %H:%M:%S}",
        )


def _reference(payment: Payment) -> str:
    return f"payment:{payment.pk}"


def _credits(references: set[str]) -> defaultdict[str, list[tuple[object, int]]]:
    """Whom each reference credited with how much."""
    found: defaultdict[str, list[tuple[object, int]]] = defaultdict(list)
    rows = Transfer.objects.filter(code=Transfer.Code.TOPUP, reference__in=references)
    for reference, owner, amount in rows.values_list(
        "reference", "credit__owner_id", "amount_minor"
    ):
        found[reference].append((owner, amount))
    return found
