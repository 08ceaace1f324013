"""What staff do with endpoints: add, change, remove, give a new secret, try, send again.

Each act is recorded with who and why (P10), in its own transaction.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import NamedTuple, TypedDict

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from .. import audit
from ..errors import Conflict, Invalid, NotFound
from ..models import OutboxMessage, User, WebhookDelivery, WebhookEndpoint, WebhookEvent
from ..sealed import seal
from . import addresses, signing
from .events import TEST, EventType, queue

ALARM_TOPIC, OVER_TOPIC = "webhook.alarm", "webhook.alarm_over"
"""How the operator hears of an endpoint that was switched off; billing knows no alerts."""
MAX_ENDPOINTS = 50

Status = OutboxMessage.Status


class EndpointFacts(TypedDict, total=False):
    """What staff say of an endpoint; what is left out stays as it is."""

    url: str
    description: str
    event_types: Sequence[str]
    enabled: bool


class Keyed(NamedTuple):
    """An endpoint and the secret that was made for it, to be told once."""

    endpoint: WebhookEndpoint
    secret: str


@transaction.atomic
def add_endpoint(*, facts: EndpointFacts, by: User, reason: str = "") -> Keyed:
    """Make an endpoint; without `event_types` it gets all that there are. Raises Invalid."""
    if WebhookEndpoint.objects.count() >= MAX_ENDPOINTS:
        raise Conflict(f"There are {MAX_ENDPOINTS} endpoints already.")
    secret = signing.make_secret()
    said = EndpointFacts(event_types=EventType.values) | _checked(facts)
    if "url" not in said:
        raise Invalid(fields={"url": ["This field is required."]})
    endpoint = WebhookEndpoint.objects.create(**said, secret=seal(secret), made_by=by)
    audit.record(by, audit.ADDITION, endpoint, reason=reason)
    return Keyed(endpoint, secret)


@transaction.atomic
def change_endpoint(
    *, endpoint_id: uuid.UUID, changes: EndpointFacts, by: User, reason: str = ""
) -> WebhookEndpoint:
    """Change what `changes` names. Switched on or moved, it begins anew. Raises NotFound, Invalid.

    What waits when it is switched off is `failed`, and can be sent again.
    """
    endpoint = locked(endpoint_id)
    said = _checked(changes)
    was_enabled = endpoint.enabled
    for name, value in said.items():
        setattr(endpoint, name, value)
    if was_enabled and not endpoint.enabled:
        _fail_waiting(endpoint)
    if said.get("enabled") or "url" in said:
        endpoint.failures, endpoint.failing_since, endpoint.paused_until = 0, None, None
    endpoint.save()
    if endpoint.enabled and not was_enabled:
        _tell(OVER_TOPIC, endpoint, "")
    audit.record(by, audit.CHANGE, endpoint, ", ".join(sorted(said)), reason=reason)
    return endpoint


@transaction.atomic
def remove_endpoint(*, endpoint_id: uuid.UUID, by: User, reason: str = "") -> None:
    """Delete an endpoint with its deliveries. Raises NotFound."""
    endpoint = locked(endpoint_id)
    audit.record(by, audit.DELETION, endpoint, reason=reason)
    _tell(OVER_TOPIC, endpoint, "")
    OutboxMessage.objects.filter(lane=endpoint.lane).delete()
    endpoint.delete()


@transaction.atomic
def rotate_secret(*, endpoint_id: uuid.UUID, by: User, reason: str = "") -> Keyed:
    """Make a new secret; the old one signs beside it for CSMS_WEBHOOK_OVERLAP_HOURS.

    Rotating once more within that time ends the oldest. Raises NotFound.
    """
    endpoint = locked(endpoint_id)
    secret = signing.make_secret()
    overlap = dt.timedelta(hours=settings.CSMS_WEBHOOK_OVERLAP_HOURS)
    endpoint.old_secret, endpoint.old_secret_until = endpoint.secret, timezone.now() + overlap
    endpoint.secret = seal(secret)
    endpoint.save(update_fields=["secret", "old_secret", "old_secret_until"])
    audit.record(by, audit.CHANGE, endpoint, "secret", reason=reason)
    return Keyed(endpoint, secret)


@transaction.atomic
def send_test(*, endpoint_id: uuid.UUID, by: User, reason: str = "") -> WebhookDelivery:
    """Send one event that says nothing, once, also to an endpoint that is off. Raises NotFound."""
    endpoint = locked(endpoint_id)
    data = {"endpoint_id": str(endpoint.pk), "sent_by": str(by.pk)}
    event = WebhookEvent.objects.create(type=TEST, reference=endpoint.lane, data=data)
    endpoint.paused_until = None  # of this object only: the test goes out at once
    audit.record(by, audit.CHANGE, endpoint, "test", reason=reason)
    return queue(event, endpoint)


@transaction.atomic
def send_again(*, delivery_id: uuid.UUID, by: User, reason: str = "") -> WebhookDelivery:
    """Send one delivery once more, whether or not it was taken: the receiver knows it by its id.

    Raises NotFound, Conflict when it is under way or its endpoint is off.
    """
    rows = WebhookDelivery.objects.select_related("endpoint", "event", "message")
    delivery = rows.filter(pk=delivery_id).first()
    if delivery is None:
        raise NotFound("There is no such delivery.")
    if not delivery.endpoint.enabled and delivery.event.type != TEST:
        raise Conflict("The endpoint is off.")
    if not _requeue(OutboxMessage.objects.filter(pk=delivery.message_id)):
        raise Conflict("This delivery is under way.")
    audit.record(by, audit.CHANGE, delivery, "sent again", reason=reason)
    delivery.message.refresh_from_db()
    return delivery


@transaction.atomic
def send_failed_again(*, endpoint_id: uuid.UUID, by: User, reason: str = "") -> int:
    """Send again all that was given up; return how many. Raises NotFound, Conflict when it is off.

    Tests are left out: who asked for one has looked.
    """
    endpoint = locked(endpoint_id)
    if not endpoint.enabled:
        raise Conflict("The endpoint is off.")
    failed = OutboxMessage.objects.filter(lane=endpoint.lane, status=Status.FAILED)
    count = _requeue(failed.exclude(webhook_delivery__event__type=TEST))
    audit.record(by, audit.CHANGE, endpoint, f"{count} sent again", reason=reason)
    return count


@transaction.atomic
def disable(endpoint: WebhookEndpoint, why: str) -> None:
    """Switch an endpoint off that does not take what it is sent, and tell the operator."""
    if WebhookEndpoint.objects.filter(pk=endpoint.pk, enabled=True).update(enabled=False):
        _fail_waiting(endpoint)
        _tell(ALARM_TOPIC, endpoint, why)


def locked(endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """Lock an endpoint for this transaction. Raises NotFound."""
    rows = WebhookEndpoint.objects.select_for_update(no_key=True, of=("self",))
    endpoint = rows.filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound("There is no such endpoint.")
    return endpoint


def _checked(facts: EndpointFacts) -> EndpointFacts:
    said = facts.copy()
    if "url" in said:
        try:
            addresses.read(said["url"])
        except addresses.Refused as error:
            raise Invalid(fields={"url": [str(error)]}) from None
    if "event_types" in said:
        unknown = sorted(set(said["event_types"]) - set(EventType.values))
        if unknown or not said["event_types"]:
            text = f"There is no {unknown[0]}." if unknown else "Choose at least one."
            raise Invalid(fields={"event_types": [text]})
        said["event_types"] = [name for name in EventType.values if name in said["event_types"]]
    return said


def _fail_waiting(endpoint: WebhookEndpoint) -> None:
    waiting = OutboxMessage.objects.filter(lane=endpoint.lane, status=Status.QUEUED)
    waiting.update(status=Status.FAILED, last_error="the endpoint was switched off")


def _requeue(messages: QuerySet[OutboxMessage]) -> int:
    return messages.exclude(status=Status.QUEUED).update(
        status=Status.QUEUED, attempts=0, due_at=timezone.now(), last_error="", delivered_at=None
    )


def _tell(topic: str, endpoint: WebhookEndpoint, text: str) -> None:
    OutboxMessage.objects.create(
        key=f"{topic}:{endpoint.pk}:{timezone.now().timestamp():f}",
        topic=topic,
        payload={"endpoint": str(endpoint.pk), "text": text},
    )
