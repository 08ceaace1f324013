"""Issue receipts and corrections, in the transaction that moves the money they are about.

Receipts and corrections share one series, 1, 2, 3, … without an end of the year. A number is
taken under a lock that lasts until the commit, so a transaction that fails leaves no gap.
"""

from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from ..models import Receipt, ReceiptCounter, User
from ..money import Minor, to_text
from ..pricing import Bill
from . import fiscal
from .snapshot import VERSION, BillLine, Corrected, Sale, Seller, Snapshot

COUNTER_ID = 1


@transaction.atomic
def issue(
    *, user: User, reference: str, sale: Sale, bill: Bill, paid: Minor, tax: Minor
) -> Receipt | None:
    """Document what a user has paid for a reference in all, and the tax in it (minor units).

    The first document is a receipt, each later one a correction that refers to it. None when
    nothing was paid, or nothing changed since the last document: repeating it is harmless. The
    caller holds the lock of what the reference names, and calls this last: until its commit no
    other document gets a number.
    """
    documents = list(Receipt.objects.of(reference))
    before = documents[-1].paid_minor if documents else 0
    if paid == before:
        return None
    first = documents[0] if documents else None
    receipt = Receipt(
        number=_take_number(),
        kind=Receipt.Kind.CORRECTION if first else Receipt.Kind.RECEIPT,
        refers_to=first,
        reference=reference,
        user=user,
        currency=bill.currency,
        total_minor=bill.total,
        tax_minor=tax,
        paid_minor=paid,
        difference_minor=paid - before,
        issued_at=timezone.now(),
    )
    receipt.snapshot = _snapshot(receipt, sale, bill, _corrected(first, before))
    receipt.save(force_insert=True)
    fiscal.queue(receipt)
    return receipt


def _take_number() -> int:
    ReceiptCounter.objects.get_or_create(pk=COUNTER_ID)
    ReceiptCounter.objects.filter(pk=COUNTER_ID).update(last=F("last") + 1)
    return ReceiptCounter.objects.get(pk=COUNTER_ID).last


def _snapshot(receipt: Receipt, sale: Sale, bill: Bill, corrects: Corrected | None) -> Snapshot:
    return Snapshot(
        version=VERSION,
        number=receipt.number,
        kind="correction" if corrects else "receipt",
        issued_at=receipt.issued_at.isoformat(),
        seller=_seller(),
        reference=receipt.reference,
        sale=sale,
        currency=bill.currency,
        lines=[cast(BillLine, line.to_json()) for line in bill.lines],
        total=to_text(receipt.total_minor),
        tax=to_text(receipt.tax_minor),
        paid=to_text(receipt.paid_minor),
        corrects=corrects,
    )


def _seller() -> Seller:
    return Seller(
        name=settings.CSMS_SELLER_NAME,
        address=settings.CSMS_SELLER_ADDRESS,
        tax_id=settings.CSMS_SELLER_TAX_ID,
        contact=settings.CSMS_SELLER_CONTACT,
    )


def _corrected(first: Receipt | None, paid_before: int) -> Corrected | None:
    if first is None:
        return None
    return Corrected(
        number=first.number,
        issued_at=first.issued_at.isoformat(),
        paid_before=to_text(paid_before),
    )
