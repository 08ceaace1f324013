"""Receipts: numbered documents of what was paid, and what a fiscal register said of each."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..money import to_text


class ReceiptCounter(models.Model):
    """The last number that was given; its one row is locked by whoever takes the next."""

    last = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("receipt counter")
        verbose_name_plural = _("receipt counters")

    def __str__(self) -> str:
        return str(self.last)


class ReceiptQuerySet(models.QuerySet["Receipt"]):
    def of(self, reference: str) -> "ReceiptQuerySet":
        """The receipt of a reference and its corrections, as they were issued."""
        return self.filter(reference=reference).order_by("number")


class Receipt(models.Model):
    """One document, a receipt or the correction of one; never edited or deleted.

    Amounts are what the sale came to when this was issued: `total_minor` as priced, `paid_minor`
    what the customer paid of it in all, `tax_minor` the tax in what was paid.
    `difference_minor` is what was paid since the document before: over a reference these add up
    to what was paid. All that is ever shown of it is in `snapshot` (`receipts.snapshot`).
    """

    class Kind(models.TextChoices):
        RECEIPT = "receipt", _("receipt")
        CORRECTION = "correction", _("correction")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.PositiveBigIntegerField(unique=True)
    kind = models.CharField(max_length=10, choices=Kind)
    refers_to = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="corrections"
    )
    reference = models.CharField(max_length=80)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="receipts"
    )
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    paid_minor = models.BigIntegerField()
    difference_minor = models.BigIntegerField()
    snapshot = models.JSONField()
    issued_at = models.DateTimeField(default=timezone.now)

    objects = ReceiptQuerySet.as_manager()

    class Meta:
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["reference"], condition=Q(kind="receipt"), name="receipt_once_a_reference"
            ),
            models.CheckConstraint(
                condition=Q(
                    kind="receipt",
                    refers_to__isnull=True,
                    paid_minor__gt=0,
                    difference_minor=models.F("paid_minor"),
                )
                | (Q(kind="correction", refers_to__isnull=False) & ~Q(difference_minor=0)),
                name="receipt_corrects_iff_correction",
            ),
            models.CheckConstraint(
                condition=Q(paid_minor__gte=0, tax_minor__gte=0), name="receipt_not_negative"
            ),
        ]
        indexes = [
            models.Index(fields=["reference", "number"]),
            models.Index(fields=["user", "-number"]),
        ]

    def __str__(self) -> str:
        return f"{self.number_text} {self.kind} {to_text(self.difference_minor)}"

    @property
    def number_text(self) -> str:
        return f"{self.number:06}"


class FiscalRegistration(models.Model):
    """What the fiscal register answered to one document."""

    receipt = models.OneToOneField(
        Receipt, on_delete=models.PROTECT, primary_key=True, related_name="registration"
    )
    fiscal_number = models.CharField(max_length=120)
    qr_text = models.TextField(blank=True)
    registered_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("fiscal registration")
        verbose_name_plural = _("fiscal registrations")

    def __str__(self) -> str:
        return self.fiscal_number
