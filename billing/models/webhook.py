"""What payment providers tell us, as it came."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .payment import Payment


class PaymentWebhook(models.Model):
    """One message of a provider: kept before it is understood, and kept when it is not.

    `digest` covers the body and its signature, so that a repeat finds this row; `count` says how
    often it came.
    """

    class Outcome(models.TextChoices):
        RECEIVED = "received", _("received, not decided")
        UNVERIFIED = "unverified", _("not signed by the provider")
        UNKNOWN = "unknown", _("no such order")
        UNANSWERED = "unanswered", _("the provider did not confirm it yet")
        PENDING = "pending", _("the provider says: still pending")
        CREDITED = "credited", _("credited")
        FAILED = "failed", _("the provider says: failed")
        MISMATCH = "mismatch", _("another amount, currency or order")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.CharField(max_length=32)
    digest = models.CharField(max_length=64, unique=True)
    content_type = models.CharField(max_length=100, blank=True)
    signature = models.CharField(max_length=200, blank=True)
    body = models.BinaryField()
    address = models.CharField(max_length=45, blank=True)
    is_verified = models.BooleanField(default=False)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.RECEIVED)
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="webhooks"
    )
    count = models.PositiveIntegerField(default=1)
    received_at = models.DateTimeField(default=timezone.now, db_index=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("payment webhook")
        verbose_name_plural = _("payment webhooks")
        ordering = ["-received_at"]

    def __str__(self) -> str:
        return f"{self.provider} {self.outcome}"
