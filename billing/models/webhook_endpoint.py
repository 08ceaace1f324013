"""Where the operator's own systems are told of events, what they are told, and how it went."""

import urllib.parse
import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .outbox import OutboxMessage


class WebhookEndpoint(models.Model):
    """An address that is told of the events it wants, each signed with its secret.

    `secret` is sealed: it must be used, and is read by nobody. After a rotation `old_secret`
    signs beside it until `old_secret_until`. `failures` counts deliveries in a row that failed;
    until `paused_until` nothing is sent, because the last one got no answer.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    url = models.URLField(_("address"), max_length=500)
    description = models.CharField(max_length=200, blank=True)
    event_types = models.JSONField(_("events"), default=list)
    enabled = models.BooleanField(_("on"), default=True)
    secret = models.TextField(editable=False)
    old_secret = models.TextField(blank=True, editable=False)
    old_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    failures = models.PositiveIntegerField(_("failed in a row"), default=0, editable=False)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    paused_until = models.DateTimeField(null=True, blank=True, editable=False)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        ordering = ["created_at"]

    def __str__(self) -> str:
        """What it is for, else the host: the whole address may hold a token."""
        return self.description or str(urllib.parse.urlsplit(self.url).hostname)

    @property
    def lane(self) -> str:
        """Its own lane of the outbox: when it is slow it holds up nobody else."""
        return f"webhook:{self.pk}"


class WebhookEvent(models.Model):
    """Something that happened, as the API showed it at that moment.

    `number` is the sequence that receivers see: it grows with the events of one object, which
    are made under that object's lock.
    """

    number = models.BigAutoField(primary_key=True)
    id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    type = models.CharField(max_length=40)
    reference = models.CharField(max_length=60)
    data = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        ordering = ["-number"]
        indexes = [models.Index(fields=["reference"], name="webhook_event_of")]

    def __str__(self) -> str:
        return f"{self.type} {self.reference}"


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint; its message in the outbox says how far it is."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # no constraint: an endpoint that staff remove meanwhile may not undo what moved the money
    endpoint = models.ForeignKey(
        WebhookEndpoint,
        on_delete=models.CASCADE,
        related_name="deliveries",
        db_constraint=False,
    )
    event = models.ForeignKey(WebhookEvent, on_delete=models.CASCADE, related_name="deliveries")
    message = models.OneToOneField(
        OutboxMessage, on_delete=models.CASCADE, related_name="webhook_delivery"
    )
    response_code = models.PositiveSmallIntegerField(null=True, blank=True)
    response_ms = models.PositiveIntegerField(null=True, blank=True)
    attempted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ["-event"]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event"], name="webhook_delivery_once")
        ]

    def __str__(self) -> str:
        return f"{self.event} → {self.endpoint}"
