"""Top-ups: money that a driver pays in, and what of it goes back."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..money import to_text


class Payment(models.Model):
    """One top-up, from its request to the credit of the balance.

    `provider_ref` is the provider's own number. `fee_minor` is null until the provider names its
    fee. `problem` says why money that came was not credited, and `reported_minor` how much the
    provider says it was: an operator decides.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        PAID = "paid", _("paid")
        FAILED = "failed", _("failed")
        EXPIRED = "expired", _("expired")
        REFUNDED = "refunded", _("refunded")

    class Problem(models.TextChoices):
        AMOUNT = "amount", _("another amount was paid")
        CURRENCY = "currency", _("it was paid in another currency")
        ORDER = "order", _("the provider speaks of another order")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payments"
    )
    provider = models.CharField(max_length=32)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=8, choices=Status, default=Status.PENDING)
    provider_ref = models.CharField(max_length=64, blank=True)
    checkout_url = models.URLField(max_length=1000, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(_("asked again at"), null=True, blank=True)
    polls = models.PositiveIntegerField(default=0)
    fee_minor = models.BigIntegerField(null=True, blank=True)
    problem = models.CharField(max_length=16, choices=Problem, blank=True)
    reported_minor = models.BigIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    paid_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("top-up")
        verbose_name_plural = _("top-ups")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payment_is_positive")
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="payment_due"),
            models.Index(
                fields=["created_at"], condition=Q(status="pending"), name="payment_pending"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {to_text(self.amount_minor)} {self.status}"

    @property
    def reference(self) -> str:
        """What its transfers refer to."""
        return f"payment:{self.pk}"


class PaymentReturn(models.Model):
    """Money of a top-up that goes back: by us through the provider, or taken by the bank.

    A refund leaves the balance when it is asked for, and comes back to it when the provider
    refuses. Of a chargeback, `loss_minor` is what the driver had spent already.
    """

    class Kind(models.TextChoices):
        REFUND = "refund", _("refund")
        CHARGEBACK = "chargeback", _("chargeback")

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="returns")
    kind = models.CharField(max_length=10, choices=Kind)
    status = models.CharField(max_length=7, choices=Status, default=Status.PENDING)
    amount_minor = models.BigIntegerField()
    loss_minor = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=200)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("returned top-up")
        verbose_name_plural = _("returned top-ups")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="return_is_positive"),
            models.CheckConstraint(
                condition=Q(loss_minor__gte=0, loss_minor__lte=models.F("amount_minor")),
                name="return_loss_within_amount",
            ),
            # What the provider has returned is then known by comparing one sum.
            models.UniqueConstraint(
                fields=["payment"], condition=Q(status="pending"), name="return_one_at_a_time"
            ),
            models.UniqueConstraint(
                fields=["payment"], condition=Q(kind="chargeback"), name="chargeback_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {to_text(self.amount_minor)} {self.status}"
