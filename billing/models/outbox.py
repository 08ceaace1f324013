"""What has to leave this system: written in the transaction that causes it, delivered later."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class OutboxMessage(models.Model):
    """One delivery to one target, at least once; `key` makes a repeat of its cause harmless.

    A target that may be slow has a `lane` of its own, in which nobody else waits.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=120, unique=True)
    topic = models.CharField(max_length=60)
    lane = models.CharField(max_length=60, blank=True, default="", db_default="")
    payload = models.JSONField(default=dict)
    status = models.CharField(max_length=9, choices=Status, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("outbox message")
        verbose_name_plural = _("outbox")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["status"], name="outbox_status"),
            models.Index(
                fields=["lane", "due_at"],
                condition=models.Q(status="queued"),
                name="outbox_due_in_lane",
            ),
            models.Index(
                fields=["delivered_at"],
                condition=models.Q(status="delivered"),
                name="outbox_delivered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.status}"
