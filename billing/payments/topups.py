"""Top-ups: a payment row from its request to the credit of the balance."""

import datetime as dt
import uuid

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from .. import ledger
from ..errors import Conflict, Forbidden, Invalid, NotFound
from ..models import Payment, Transfer, User
from ..money import Minor
from ..notices.telling import tell_of_payment
from .providers import ONLINE, PROVIDERS, enabled

MAX_TOPUP = Minor(1_000_000_000)
"""The most that one top-up may bring, in minor units: a typing error stays reversible."""

FIRST_POLL = dt.timedelta(seconds=30)
"""A webhook comes within seconds; only one that is late makes us ask."""

Status = Payment.Status


@transaction.atomic
def request_top_up(
    *, user: User, amount: Minor, provider: str, made_by: User, reason: str = ""
) -> Payment:
    """Record a top-up of `amount` (> 0, minor units); it is paid, or waits for its checkout.

    Idempotency is the caller's (Idempotency-Key). No provider is called here: that is done when
    the driver opens the checkout. Raises Invalid for an amount or provider that is none,
    Forbidden when the provider is for staff.
    """
    if not 0 < amount <= MAX_TOPUP:
        raise Invalid(fields={"amount": ["This amount cannot be paid in."]})
    if provider not in enabled():
        raise Invalid(fields={"provider": [f"Choose one of: {', '.join(enabled())}."]})
    if PROVIDERS[provider].is_for_staff and not made_by.is_staff:
        raise Forbidden("Only staff may record such a payment.")
    is_online = provider in ONLINE
    payment = Payment.objects.create(
        user=user,
        provider=provider,
        amount_minor=amount,
        currency=settings.CSMS_CURRENCY,
        made_by=made_by,
        reason=reason,
        due_at=timezone.now() + FIRST_POLL if is_online else None,
    )
    return payment if is_online else confirm(payment.pk)


@transaction.atomic
def confirm(payment_id: uuid.UUID) -> Payment:
    """Credit a payment that its provider says is paid; a repeat changes nothing.

    Raises NotFound, and Conflict for a payment that was refunded. Money that comes for one that
    failed or expired is credited all the same: it is the driver's.
    """
    payment = locked(payment_id)
    if payment.status == Status.PAID:
        return payment
    if payment.status == Status.REFUNDED:
        raise Conflict("This payment was refunded.")
    ledger.post(
        key=f"topup:{payment.pk}",
        code=Transfer.Code.TOPUP,
        debit=ledger.house(ledger.Kind.FUNDING),
        credit=ledger.account_of(payment.user),
        amount=Minor(payment.amount_minor),
        reference=payment.reference,
        reason=payment.reason,
        made_by=payment.made_by,
    )
    payment.status = Status.PAID
    payment.paid_at = timezone.now()
    payment.due_at = None
    payment.problem = ""
    payment.save(update_fields=["status", "paid_at", "due_at", "problem"])
    tell_of_payment(payment)
    return payment


@transaction.atomic
def book_fee(payment_id: uuid.UUID, fee: Minor) -> None:
    """Book what the provider kept of a credited payment, once: the driver got the gross amount.

    Like a loss, a fee stands below zero in its own account: what is left of `funding` is what the
    provider passes on. A later, other number changes nothing; `reconcile` compares.
    """
    payment = locked(payment_id)
    if payment.fee_minor is not None or payment.paid_at is None:
        return
    payment.fee_minor = fee
    payment.save(update_fields=["fee_minor"])
    if fee > 0:
        ledger.post(
            key=f"fee:{payment.pk}",
            code=Transfer.Code.FEE,
            debit=ledger.house(ledger.Kind.FEES),
            credit=ledger.house(ledger.Kind.FUNDING),
            amount=fee,
            reference=payment.reference,
        )


@transaction.atomic
def accept_reported(*, payment_id: uuid.UUID, reason: str, made_by: User) -> Payment:
    """Credit the amount that really came for a payment whose amount was wrong: the operator's word.

    Raises Conflict when there is no such amount, in our currency and for this order.
    """
    payment = locked(payment_id)
    if payment.problem != Payment.Problem.AMOUNT or not payment.reported_minor:
        raise Conflict("Nothing else was paid for this top-up.")
    payment.amount_minor = payment.reported_minor
    payment.reason = reason
    payment.made_by = made_by
    payment.save(update_fields=["amount_minor", "reason", "made_by"])
    return confirm(payment.pk)


def locked(payment_id: uuid.UUID) -> Payment:
    """Lock a payment for this transaction. Raises NotFound."""
    payment = (
        Payment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("user", "made_by")
        .filter(pk=payment_id)
        .first()
    )
    if payment is None:
        raise NotFound("There is no such payment.")
    return payment
