"""Deliver one event to one endpoint, and learn from how it goes: a delivery of the outbox."""

import datetime as dt
import json

from django.conf import settings
from django.db import close_old_connections, connection
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from ..models import OutboxMessage, WebhookDelivery, WebhookEndpoint
from ..outbox import LONGEST_PAUSE, GivenUp, TryLater, pause_after
from ..sealed import Unreadable, unseal
from . import post, signing
from .addresses import Refused, Unreachable
from .endpoints import disable
from .events import TEST, envelope
from .post import Answer

GONE = 410
BUSY = (429, 502, 503, 504)
"""The receiver is away or has too much to do: the whole lane waits."""


def deliver(message: OutboxMessage) -> None:
    """Send it once. Raises TryLater for another time, GivenUp when there is no point."""
    found = WebhookDelivery.objects.select_related("endpoint", "event").filter(message=message)
    delivery = found.first()
    if delivery is None:
        raise GivenUp("its endpoint is gone")
    if not delivery.endpoint.enabled and delivery.event.type != TEST:
        raise GivenUp("the endpoint is off")
    body, headers = _request(delivery)
    if not connection.in_atomic_block:
        close_old_connections()  # the receiver may take its time, and others want the connection
    try:
        answer = post.send(delivery.endpoint.url, body, headers)
    except Unreachable as error:
        _note(delivery, None)
        raise _failed(delivery, str(error), pauses_lane=True) from None
    except Refused as error:
        _note(delivery, None)
        raise _failed(delivery, str(error)) from None
    _note(delivery, answer)
    if not answer.is_taken:
        raise _refused(delivery, answer)
    _succeeded(delivery.endpoint)


def _request(delivery: WebhookDelivery) -> tuple[bytes, dict[str, str]]:
    event = delivery.event
    body = json.dumps(envelope(event), separators=(",", ":"), ensure_ascii=False).encode()
    try:
        in_use = secrets_of(delivery.endpoint)
    except Unreadable as error:
        raise _failed(delivery, f"The secret cannot be read: {error} Rotate it.") from None
    sent_at = int(timezone.now().timestamp())
    return body, signing.headers(str(event.id), sent_at=sent_at, body=body, secrets_in_use=in_use)


def secrets_of(endpoint: WebhookEndpoint) -> list[str]:
    """The secrets that sign now, the present one first. Raises Unreadable."""
    secrets = [unseal(endpoint.secret)]
    if endpoint.old_secret_until is not None and endpoint.old_secret_until > timezone.now():
        secrets.append(unseal(endpoint.old_secret))
    return secrets


def _note(delivery: WebhookDelivery, answer: Answer | None) -> None:
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        attempted_at=timezone.now(),
        response_code=answer.status if answer else None,
        response_ms=answer.took_ms if answer else None,
    )


def _succeeded(endpoint: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.filter(pk=endpoint.pk, failures__gt=0).update(
        failures=0, failing_since=None, paused_until=None
    )


def _refused(delivery: WebhookDelivery, answer: Answer) -> Exception:
    """What follows of an answer that is none of 200 to 299."""
    text = " ".join(f"HTTP {answer.status} {answer.excerpt}".split())
    if answer.status == GONE and delivery.event.type != TEST:
        disable(delivery.endpoint, f"{delivery.endpoint} says that it is gone (410).")
        return GivenUp(text)
    asked = _retry_after(answer.retry_after)
    return _failed(delivery, text, pauses_lane=answer.status in BUSY, pause=asked)


def _failed(
    delivery: WebhookDelivery,
    text: str,
    *,
    pauses_lane: bool = False,
    pause: dt.timedelta | None = None,
) -> Exception:
    """Count a failure; an endpoint that has failed for days is switched off.

    Where nobody answers, the rest of the lane waits too: one attempt a pause is enough to learn
    that, and each costs a time-out.
    """
    if delivery.event.type == TEST:
        return GivenUp(text)  # who pressed the button looks now
    endpoint, now = delivery.endpoint, timezone.now()
    row = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    row.update(failures=F("failures") + 1, failing_since=Coalesce("failing_since", now))
    endpoint.refresh_from_db(fields=["failures", "failing_since"])
    if endpoint.failing_since and now >= endpoint.failing_since + give_up_after():
        disable(endpoint, f"{endpoint} has taken no webhook for {give_up_after().days} days.")
        return GivenUp(text)
    if not pauses_lane:
        return TryLater(text, pause=pause)
    until = now + (pause or pause_after(endpoint.failures))
    row.update(paused_until=until)
    queued = OutboxMessage.objects.filter(lane=endpoint.lane, status=OutboxMessage.Status.QUEUED)
    queued.filter(due_at__lt=until).exclude(pk=delivery.message_id).update(due_at=until)
    return TryLater(text, pause=until - now)


def give_up_after() -> dt.timedelta:
    return dt.timedelta(days=settings.CSMS_WEBHOOK_GIVE_UP_DAYS)


def _retry_after(text: str) -> dt.timedelta | None:
    """Retry-After in seconds, within our longest pause; a date is not read."""
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        return None
    return min(dt.timedelta(seconds=max(1, int(text))), LONGEST_PAUSE)
