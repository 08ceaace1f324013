"""The sandbox provider's own books: what it would know if it were a company of its own."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .payment import Payment


class SandboxPayment(models.Model):
    """One order at the sandbox; only the sandbox reads and writes it."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        PAID = "paid", _("paid")
        FAILED = "failed", _("failed")

    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, primary_key=True)
    state = models.CharField(max_length=6, choices=State, default=State.OPEN)
    amount_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField(default=0)
    returned_minor = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("sandbox payment")
        verbose_name_plural = _("sandbox payments")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"sandbox {self.pk} {self.state}"
