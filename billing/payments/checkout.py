"""Open a payment at its provider when the driver goes to pay: the one call that makes it known."""

import datetime as dt
import uuid

from django.db.models import Q
from django.utils import timezone

from ..errors import Conflict, KubatError, NotFound
from ..models import Payment
from .provider import Links
from .providers import ONLINE
from .topups import FIRST_POLL

OPENS_WITHIN = dt.timedelta(seconds=60)
"""A call that has not come back by then never will: its process died."""


def open_checkout(payment_id: uuid.UUID, links: Links) -> str:
    """Return where the driver pays; the first call opens the payment at its provider.

    No transaction is open during that call. Raises NotFound, Conflict for a payment that is not
    pending or is being opened at this moment, ProviderRefused and ProviderUnavailable.
    """
    payment = Payment.objects.filter(pk=payment_id, provider__in=ONLINE).first()
    if payment is None:
        raise NotFound("There is no such payment.")
    if payment.status != Payment.Status.PENDING:
        raise Conflict("This payment is not open.")
    if payment.checkout_url:
        return payment.checkout_url
    if not _claim(payment):
        raise Conflict("This payment is being opened; try again.")
    try:
        checkout = ONLINE[payment.provider].begin(payment, links)
    except KubatError:
        Payment.objects.filter(pk=payment_id, checkout_url="").update(opened_at=None)
        raise
    Payment.objects.filter(pk=payment_id).update(
        checkout_url=checkout.url, provider_ref=checkout.ref
    )
    return checkout.url


def _claim(payment: Payment) -> bool:
    """Let one request open it: a provider would take two calls for two payments."""
    now = timezone.now()
    is_free = Q(opened_at=None) | Q(opened_at__lt=now - OPENS_WITHIN)
    mine = Payment.objects.filter(is_free, pk=payment.pk, status=Payment.Status.PENDING)
    return bool(mine.update(opened_at=now, polls=0, due_at=now + FIRST_POLL))
