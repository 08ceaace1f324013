"""The books: accounts, and the transfers that alone change them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from ..money import to_text


class Account(models.Model):
    """One side of the books. Its balance is derived from transfers; `reconcile` proves it.

    A customer's balance is what we owe that customer. `held_minor` is the part of it that
    pending transfers set aside. The operator's own accounts may go below zero.
    """

    class Kind(models.TextChoices):
        CUSTOMER = "customer", _("customer")
        FUNDING = "funding", _("money received")
        SALES = "sales", _("sales")
        TAX = "tax", _("tax")
        LOSS = "loss", _("loss: delivered and not paid for")
        ADJUSTMENT = "adjustment", _("adjustments by staff")
        FEES = "fees", _("fees of payment providers")

    kind = models.CharField(max_length=16, choices=Kind)
    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="account",
    )
    currency = models.CharField(max_length=3)
    balance_minor = models.BigIntegerField(default=0)
    held_minor = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.CheckConstraint(
                condition=Q(held_minor__gte=0), name="account_held_not_negative"
            ),
            models.CheckConstraint(
                condition=~Q(kind="customer") | Q(balance_minor__gte=F("held_minor")),
                name="account_customer_covers_its_holds",
            ),
            models.CheckConstraint(
                condition=Q(kind="customer", owner__isnull=False)
                | (~Q(kind="customer") & Q(owner__isnull=True)),
                name="account_owner_iff_customer",
            ),
            models.UniqueConstraint(
                fields=["kind"], condition=~Q(kind="customer"), name="account_one_of_each_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.owner or ''}".strip()

    @property
    def available_minor(self) -> int:
        return self.balance_minor - self.held_minor


class TransferQuerySet(models.QuerySet["Transfer"]):
    def pending(self) -> "TransferQuerySet":
        """Holds that are neither captured nor voided."""
        return self.filter(kind=Transfer.Kind.PENDING, resolution__isnull=True)

    def for_account(self, account: Account) -> "TransferQuerySet":
        return self.filter(Q(debit=account) | Q(credit=account))


class Transfer(models.Model):
    """One positive amount from the debit account to the credit account; never edited or deleted.

    A hold is `pending`; exactly one later row, `captured` or `voided`, resolves it. A captured
    amount may be less than what was pending; the rest is free again. Only `posted` and
    `captured` rows move balances.
    """

    class Kind(models.TextChoices):
        POSTED = "posted", _("posted")
        PENDING = "pending", _("pending (hold)")
        CAPTURED = "captured", _("captured")
        VOIDED = "voided", _("voided")

    class Code(models.TextChoices):
        TOPUP = "topup", _("top-up")
        CHARGE = "charge", _("charging session")
        TAX = "tax", _("tax on sales")
        LOSS = "loss", _("delivered past the hold")
        CORRECTION = "correction", _("correction of a settled session")
        ADJUSTMENT = "adjustment", _("adjustment by staff")
        FEE = "fee", _("fee of a payment provider")
        REFUND = "refund", _("refund of a top-up")
        PAYOUT = "payout", _("balance paid out")
        CHARGEBACK = "chargeback", _("chargeback of a top-up")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=8, choices=Kind)
    code = models.CharField(max_length=12, choices=Code)
    debit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="debits")
    credit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="credits")
    amount_minor = models.BigIntegerField()
    resolves = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="resolution"
    )
    reference = models.CharField(max_length=80, blank=True, db_index=True)
    reason = models.CharField(max_length=200, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    objects = TransferQuerySet.as_manager()

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="transfer_is_positive"),
            models.CheckConstraint(
                condition=~Q(debit=F("credit")), name="transfer_between_two_accounts"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["captured", "voided"], resolves__isnull=False)
                | Q(kind__in=["posted", "pending"], resolves__isnull=True),
                name="transfer_resolves_iff_resolution",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_code_display()} {to_text(self.amount_minor)} ({self.get_kind_display()})"

    def balance_change(self, account: Account) -> int:
        """By how much this moved an account's balance: these add up to the balance (P2)."""
        if self.kind not in (self.Kind.POSTED, self.Kind.CAPTURED):
            return 0
        return self.amount_minor if self.credit_id == account.pk else -self.amount_minor

    def held_change(self, account: Account) -> int:
        """By how much this moved what is on hold: these add up to `held_minor`."""
        if self.debit_id != account.pk:
            return 0
        if self.resolves:
            return -self.resolves.amount_minor
        return self.amount_minor if self.kind == self.Kind.PENDING else 0
