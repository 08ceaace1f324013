"""What payment terminals and wallets paid in, by the OSMP protocol."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..money import to_text
from .payment import Payment


class TerminalPayment(models.Model):
    """One `pay` of a terminal network and what it was answered; its number is `prv_txn`.

    A refusal is kept too: whoever asks again with the same `txn_id` gets the same answer.
    """

    terminal = models.CharField(max_length=32)
    txn_id = models.CharField(max_length=20)
    account = models.CharField(max_length=32)
    amount_minor = models.BigIntegerField()
    txn_at = models.DateTimeField()
    result = models.PositiveSmallIntegerField()
    payment = models.OneToOneField(
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="terminal_payment"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("terminal payment")
        verbose_name_plural = _("terminal payments")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["terminal", "txn_id"], name="terminal_txn_once"),
            models.CheckConstraint(
                condition=models.Q(result=0, payment__isnull=False)
                | (~models.Q(result=0) & models.Q(payment__isnull=True)),
                name="terminal_payment_iff_accepted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.terminal} {self.txn_id} {to_text(self.amount_minor)} ({self.result})"
