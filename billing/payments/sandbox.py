"""A payment company that lives in this house: offline, with every mishap a real one has.

It keeps its own books (`SandboxPayment`), signs its webhooks by HMAC-SHA256 and sends them over
HTTP through the outbox, so that our side is used exactly as by a real provider. Off by default.
"""

import datetime as dt
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..errors import NotFound, ProviderRefused, UnverifiedWebhook
from ..models import OutboxMessage, Payment, SandboxPayment
from ..money import Minor, round_minor, to_minor, to_text
from .provider import Checkout, Incoming, Links, Notice, Reply, Report, State, Verdict

TOPIC = "sandbox.webhook"
SIGNATURE_HEADER = "X-Sandbox-Signature"
FEE_PERCENT = Decimal("2.5")
LATE = dt.timedelta(minutes=2)
"""Later than our first question to the provider."""
OUT_OF_ORDER = dt.timedelta(seconds=3)
WRONG_BY = 100
TIMEOUT_S = 10

_STATES = {
    SandboxPayment.State.OPEN: State.PENDING,
    SandboxPayment.State.PAID: State.PAID,
    SandboxPayment.State.FAILED: State.FAILED,
}


class Mishap(models.TextChoices):
    """What goes wrong with the report of a payment."""

    NONE = "none", _("all goes well")
    DUPLICATE = "duplicate", _("the webhook comes twice")
    LATE = "late", _("the webhook comes two minutes late")
    OUT_OF_ORDER = "out_of_order", _("an older webhook comes last")
    WRONG_AMOUNT = "wrong_amount", _("another amount is paid")
    LOST = "lost", _("the webhook never comes")


class Sandbox:
    name = "sandbox"
    is_for_staff = False

    def is_enabled(self) -> bool:
        return settings.CSMS_SANDBOX_PAYMENTS

    def begin(self, payment: Payment, links: Links) -> Checkout:
        SandboxPayment.objects.get_or_create(
            payment=payment, defaults={"amount_minor": payment.amount_minor}
        )
        return Checkout(url=reverse("sandbox", args=[payment.pk]))

    def parse_webhook(self, incoming: Incoming) -> Notice:
        if not hmac.compare_digest(sign(incoming.body).encode(), incoming.signature.encode()):
            raise UnverifiedWebhook
        event = json.loads(incoming.body)
        return Notice(order=event["order"], fee=Minor(to_minor(Decimal(event["fee"]))))

    def query_status(self, payment: Payment) -> Report:
        row = SandboxPayment.objects.filter(pk=payment.pk).first()
        if row is None:
            return Report(State.PENDING)
        return Report(
            state=_STATES[SandboxPayment.State(row.state)],
            amount=Minor(row.amount_minor),
            currency=payment.currency,
            order=str(row.pk),
            fee=Minor(row.fee_minor) if row.state == SandboxPayment.State.PAID else None,
            returned=Minor(row.returned_minor),
        )

    def refund(self, payment: Payment, amount: Minor) -> None:
        returned = SandboxPayment.objects.filter(
            pk=payment.pk,
            state=SandboxPayment.State.PAID,
            amount_minor__gte=F("returned_minor") + amount,
        ).update(returned_minor=F("returned_minor") + amount)
        if not returned:
            raise ProviderRefused("The sandbox has less than this to return.")

    def acknowledge(self, verdict: Verdict) -> Reply:
        status = 403 if verdict == Verdict.UNVERIFIED else 200
        return Reply(json.dumps({"status": verdict}), "application/json", status)


@transaction.atomic
def complete(
    payment_id: uuid.UUID, *, is_paid: bool, mishap: Mishap, webhook_url: str
) -> SandboxPayment:
    """Pay or refuse an open order, as its payer asks, and report it; a repeat changes nothing.

    Raises NotFound.
    """
    row = (
        SandboxPayment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("payment")
        .filter(pk=payment_id)
        .first()
    )
    if row is None:
        raise NotFound("There is no such order.")
    if row.state != SandboxPayment.State.OPEN:
        return row
    row.state = SandboxPayment.State.PAID if is_paid else SandboxPayment.State.FAILED
    if mishap == Mishap.WRONG_AMOUNT:
        row.amount_minor += WRONG_BY
    if is_paid:
        row.fee_minor = round_minor(row.amount_minor * FEE_PERCENT / 100)
    row.save(update_fields=["state", "amount_minor", "fee_minor"])
    for number, (state, wait) in enumerate(_reports(row, mishap)):
        _report(row, state, number=number, wait=wait, url=webhook_url)
    return row


def deliver(message: OutboxMessage) -> None:
    """Send one webhook: a delivery of the outbox. Raises httpx.HTTPError, to be tried again."""
    body = json.dumps(message.payload["event"]).encode()
    answer = httpx.post(
        message.payload["url"],
        content=body,
        headers={"Content-Type": "application/json", SIGNATURE_HEADER: sign(body)},
        timeout=TIMEOUT_S,
        trust_env=False,  # it is ourselves that we call, and no proxy knows us
    )
    answer.raise_for_status()


def sign(body: bytes) -> str:
    """Sign with a key that only this installation has."""
    key = hashlib.sha256(b"sandbox payments " + settings.SECRET_KEY.encode()).digest()
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def _reports(row: SandboxPayment, mishap: Mishap) -> Iterator[tuple[str, dt.timedelta]]:
    """Which states are reported, and after how long."""
    if mishap == Mishap.LOST:
        return
    yield row.state, LATE if mishap == Mishap.LATE else dt.timedelta()
    if mishap == Mishap.DUPLICATE:
        yield row.state, dt.timedelta()
    if mishap == Mishap.OUT_OF_ORDER:
        yield SandboxPayment.State.OPEN, OUT_OF_ORDER


def _report(row: SandboxPayment, state: str, *, number: int, wait: dt.timedelta, url: str) -> None:
    event: dict[str, Any] = {
        "order": str(row.pk),
        "status": state,
        "amount": to_text(row.amount_minor),
        "fee": to_text(row.fee_minor),
        "currency": row.payment.currency,
    }
    OutboxMessage.objects.create(
        key=f"{TOPIC}:{row.pk}:{number}",
        topic=TOPIC,
        payload={"url": url, "event": event},
        due_at=timezone.now() + wait,
    )
