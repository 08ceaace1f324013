"""Receive what a provider tells us: keep it, verify it, ask the provider, and only then credit."""

import datetime as dt
import hashlib

from django.db.models import F
from django.utils import timezone

from ..errors import ProviderUnavailable, UnverifiedWebhook
from ..models import Payment, PaymentWebhook
from .alarms import raise_alarm
from .provider import Incoming, Notice, OnlineProvider, Verdict, payment_of
from .topups import book_fee
from .verdicts import decide

Outcome = PaymentWebhook.Outcome
UNDECIDED = (Outcome.RECEIVED, Outcome.UNANSWERED, Outcome.PENDING)
"""Where a repeat makes us ask again, which is harmless; all else has its answer."""
KEPT_UNVERIFIED = dt.timedelta(days=30)
"""What nobody signed goes after this time: anyone may send it."""


def receive(provider: OnlineProvider, incoming: Incoming) -> Verdict:
    """Take one webhook; a repeat has no second effect and gets the same answer.

    Each step commits by itself, so a process that dies leaves a row that `reconcile` reports and
    a payment that the worker asks about.
    """
    row = _keep(provider, incoming)
    if row.outcome in UNDECIDED:
        _process(provider, incoming, row)
    if row.outcome == Outcome.UNVERIFIED:
        return Verdict.UNVERIFIED
    return Verdict.UNKNOWN if row.outcome == Outcome.UNKNOWN else Verdict.ACCEPTED


def settle_waiting(provider: OnlineProvider, payment: Payment, outcome: Outcome) -> None:
    """Give the webhooks that found their provider away what the worker found out since.

    Their bodies may be the only place that names the fee.
    """
    for row in payment.webhooks.filter(is_verified=True, outcome__in=UNDECIDED):
        kept = Incoming(bytes(row.body), row.content_type, row.signature)
        if outcome not in UNDECIDED and is_signed(provider, kept):
            _record(row, outcome)
            _learn_fee(payment, provider.parse_webhook(kept), outcome)


def is_signed(provider: OnlineProvider, incoming: Incoming) -> bool:
    """Whether the provider wrote this."""
    try:
        provider.parse_webhook(incoming)
    except UnverifiedWebhook:
        return False
    return True


def _keep(provider: OnlineProvider, incoming: Incoming) -> PaymentWebhook:
    new = PaymentWebhook(
        provider=provider.name,
        digest=_digest(provider.name, incoming),
        content_type=incoming.content_type[:100],
        signature=incoming.signature[:200],
        body=incoming.body,
        address=incoming.address[:45],
    )
    PaymentWebhook.objects.bulk_create([new], ignore_conflicts=True)
    row = PaymentWebhook.objects.get(digest=new.digest)
    if row.pk != new.pk:
        PaymentWebhook.objects.filter(pk=row.pk).update(count=F("count") + 1)
    return row


def _digest(provider: str, incoming: Incoming) -> str:
    # With the signature, or whoever sends a body unsigned first would spoil the signed one.
    parts = (provider.encode(), incoming.signature.encode(), incoming.body)
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _process(provider: OnlineProvider, incoming: Incoming, row: PaymentWebhook) -> None:
    try:
        notice = provider.parse_webhook(incoming)
    except UnverifiedWebhook:
        _record(row, Outcome.UNVERIFIED)
        return
    row.is_verified = True
    payment = payment_of(provider, notice.order)
    row.payment = payment
    _record(row, Outcome.RECEIVED if payment else Outcome.UNKNOWN)
    if payment is None:
        raise_alarm(
            "webhook_unknown",
            str(row.pk),
            f"{provider.name} reports a payment for an order that we do not have.",
        )
        return
    _record(row, _confirm(provider, payment, notice))


def _confirm(provider: OnlineProvider, payment: Payment, notice: Notice) -> Outcome:
    """Ask the provider itself, outside of any transaction: a signature alone moves no money."""
    try:
        report = provider.query_status(payment)
    except ProviderUnavailable:
        Payment.objects.filter(pk=payment.pk, status=Payment.Status.PENDING).update(
            due_at=timezone.now(), polls=0
        )
        return Outcome.UNANSWERED
    outcome = decide(payment.pk, report)
    _learn_fee(payment, notice, outcome)
    return outcome


def _learn_fee(payment: Payment, notice: Notice, outcome: Outcome) -> None:
    if outcome == Outcome.CREDITED and notice.fee is not None:
        book_fee(payment.pk, notice.fee)


def _record(row: PaymentWebhook, outcome: Outcome) -> None:
    row.outcome = outcome
    row.decided_at = None if outcome == Outcome.RECEIVED else timezone.now()
    row.save(update_fields=["is_verified", "payment", "outcome", "decided_at"])
