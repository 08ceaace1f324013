"""Top-ups: a payment row from its request to the credit of the balance."""

import uuid

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from .. import ledger
from ..errors import Conflict, Forbidden, Invalid, NotFound
from ..models import Payment, Transfer, User
from ..money import Minor
from .providers import PROVIDERS

MAX_TOPUP = Minor(1_000_000_000)
"""The most that one top-up may bring, in minor units: a typing error stays reversible."""


@transaction.atomic
def request_top_up(
    *, user: User, amount: Minor, provider: str, made_by: User, reason: str = ""
) -> Payment:
    """Record a top-up of `amount` (> 0, minor units) and open it at its provider.

    Idempotency is the caller's (Idempotency-Key). Raises Invalid for an amount or provider that
    is none, Forbidden when the provider is for staff.
    """
    if not 0 < amount <= MAX_TOPUP:
        raise Invalid(fields={"amount": ["This amount cannot be paid in."]})
    chosen = PROVIDERS.get(provider)
    if chosen is None:
        raise Invalid(fields={"provider": [f"Choose one of: {', '.join(PROVIDERS)}."]})
    if chosen.is_for_staff and not made_by.is_staff:
        raise Forbidden("Only staff may record such a payment.")
    payment = Payment.objects.create(
        user=user,
        provider=chosen.name,
        amount_minor=amount,
        currency=settings.CSMS_CURRENCY,
        made_by=made_by,
        reason=reason,
    )
    checkout = chosen.begin(payment)
    if checkout.is_paid:
        return confirm(payment.pk)
    payment.checkout_url = checkout.url
    payment.save(update_fields=["checkout_url"])
    return payment


@transaction.atomic
def confirm(payment_id: uuid.UUID) -> Payment:
    """Credit a payment that its provider says is paid; a repeat changes nothing.

    Raises NotFound, and Conflict for a payment that was refunded. Money that comes for one that
    failed or expired is credited all the same: it is the driver's.
    """
    payment = (
        Payment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("user", "made_by")
        .filter(pk=payment_id)
        .first()
    )
    if payment is None:
        raise NotFound("There is no such payment.")
    if payment.status == Payment.Status.PAID:
        return payment
    if payment.status == Payment.Status.REFUNDED:
        raise Conflict("This payment was refunded.")
    ledger.post(
        key=f"topup:{payment.pk}",
        code=Transfer.Code.TOPUP,
        debit=ledger.house(ledger.Kind.FUNDING),
        credit=ledger.account_of(payment.user),
        amount=Minor(payment.amount_minor),
        reference=f"payment:{payment.pk}",
        reason=payment.reason,
        made_by=payment.made_by,
    )
    payment.status = Payment.Status.PAID
    payment.paid_at = timezone.now()
    payment.save(update_fields=["status", "paid_at"])
    return payment
