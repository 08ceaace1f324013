"""What the operator's systems can be told, and how an event gets into the outbox.

An event shows its object as the API does, at the moment that it happened. How that looks is the
API's to say, which nobody here may import: `HOOK_VIEWS` in the settings names it.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from ..models import OutboxMessage, WebhookDelivery, WebhookEndpoint, WebhookEvent

TOPIC = "webhook"
API_VERSION = "1"
"""Of the shape of events. Within a version fields are only added."""


class EventType(models.TextChoices):
    SESSION_STARTED = "session.started", _("a charge has begun")
    SESSION_STOPPING = "session.stopping", _("the station was asked to stop")
    SESSION_RESUMED = "session.resumed", _("the station refused to stop: it goes on")
    SESSION_COMPLETED = "session.completed", _("a charge has ended and is paid")
    SESSION_CORRECTED = "session.corrected", _("a completed charge was corrected")
    SESSION_REVIEW = "session.review", _("a charge waits for an operator's decision")
    SESSION_ERROR = "session.error", _("a charge did not begin")
    PAYMENT_PAID = "payment.paid", _("a top-up was credited")
    PAYMENT_FAILED = "payment.failed", _("a top-up failed")
    PAYMENT_EXPIRED = "payment.expired", _("nobody paid a top-up in time")
    PAYMENT_REFUNDED = "payment.refunded", _("a top-up went back, in part or all of it")


TEST = "webhook.test"
"""What the button sends: nobody chooses it, and it goes to a disabled endpoint, too."""

View = Callable[[Any], dict[str, Any]]


def emit(event_type: EventType, row: Any, **more: Any) -> None:
    """Queue an event of `row` for each endpoint that wants it, in the caller's transaction.

    The caller holds the lock of `row`, which gives its events their order. `more` joins the
    row's data. Where no endpoint wants it, all this costs is the look at a small table.
    """
    endpoints = WebhookEndpoint.objects.filter(enabled=True)
    wanting = [endpoint for endpoint in endpoints if event_type in endpoint.event_types]
    if not wanting:
        return
    view: View = import_string(settings.HOOK_VIEWS[row._meta.label])
    event = WebhookEvent.objects.create(
        type=event_type, reference=row.reference, data=view(row) | more
    )
    for endpoint in wanting:
        queue(event, endpoint)


def queue(event: WebhookEvent, endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Put one delivery into the endpoint's lane; while that is paused, for when it goes on."""
    now = timezone.now()
    message = OutboxMessage.objects.create(
        key=f"{TOPIC}:{event.id}:{endpoint.pk}",
        topic=TOPIC,
        lane=endpoint.lane,
        due_at=max(now, endpoint.paused_until or now),
    )
    return WebhookDelivery.objects.create(endpoint=endpoint, event=event, message=message)


def envelope(event: WebhookEvent) -> dict[str, Any]:
    """What is sent: the same for each endpoint and attempt."""
    return {
        "id": str(event.id),
        "type": event.type,
        "created_at": event.created_at.isoformat().replace("+00:00", "Z"),
        "api_version": API_VERSION,
        "sequence": event.number,
        "data": event.data,
    }
