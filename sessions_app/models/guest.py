"""A charge that is paid for by one payment, without an account of one's own."""

import datetime as dt
import hashlib
import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.models import Payment, PaymentReturn
from stations.models import Station

from ..errors import GuestChargeNotFound
from .session import ChargingSession, SessionStatus

ENDED = (SessionStatus.COMPLETED, SessionStatus.ERROR)


class GuestChargeQuerySet(models.QuerySet["GuestCharge"]):
    def by_token(self, token: str) -> "GuestCharge":
        """The charge that a token opens. Raises GuestChargeNotFound."""
        found = self.select_related("payment", "session__station", "station", "user__account")
        charge = found.filter(token_digest=digest_of(token)).first()
        if charge is None:
            raise GuestChargeNotFound
        return charge

    def locked(self, charge_id: uuid.UUID) -> "GuestCharge":
        """Lock one for this transaction, before its session, payment and account."""
        rows = self.select_for_update(no_key=True, of=("self",))
        return rows.select_related("payment", "session", "user", "station").get(pk=charge_id)

    def to_begin(self) -> "GuestChargeQuerySet":
        """Those that are paid for and have not begun."""
        return self.filter(state=GuestCharge.State.WAITING, payment__status=Payment.Status.PAID)

    def to_send_back(self, quiet_since: dt.datetime) -> "GuestChargeQuerySet":
        """Those that are over, with money that nobody needs and nobody sends back yet.

        A session whose station did not end it is over when it was ended before `quiet_since`. A
        return that the provider refused is not tried again by itself.
        """
        is_heard = Q(session__stop_received_at__isnull=False) | Q(
            session__transaction_id__isnull=True
        )
        is_over = Q(state=GuestCharge.State.REFUSED) | (
            Q(session__status__in=ENDED) & (is_heard | Q(session__ended_at__lt=quiet_since))
        )
        tried = PaymentReturn.objects.exclude(status=PaymentReturn.Status.DONE)
        return (
            self.filter(is_over, payment__status=Payment.Status.PAID, is_pay_out=False)
            .filter(user__account__balance_minor__gt=F("user__account__held_minor"))
            .exclude(payment__in=tried.values("payment"))
        )

    def paid_out(self) -> "GuestChargeQuerySet":
        """Those whose rest staff had to pay out, and have."""
        return self.filter(is_pay_out=True, user__account__balance_minor=0)


class GuestCharge(models.Model):
    """What one payment buys: at most its amount of energy; the rest goes back.

    `user` is a guest, whose account holds the money meanwhile. The token that the payer was given
    is kept as a digest only. `error_code` says why the charge did not begin. `is_pay_out` means
    that the rest lies on the account until staff have paid it out.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("not begun")
        STARTED = "started", _("session requested")
        REFUSED = "refused", _("could not begin")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token_digest = models.CharField(max_length=64, unique=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="guest_charge"
    )
    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, related_name="guest_charge")
    station = models.ForeignKey(Station, on_delete=models.PROTECT, related_name="+")
    connector_id = models.PositiveIntegerField(null=True, blank=True)
    session = models.OneToOneField(
        ChargingSession,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="guest_charge",
    )
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    error_code = models.CharField(max_length=40, blank=True)
    is_pay_out = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = GuestChargeQuerySet.as_manager()

    class Meta:
        verbose_name = _("guest charge")
        verbose_name_plural = _("guest charges")
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                fields=["created_at"], condition=Q(state="waiting"), name="guest_charge_waiting"
            )
        ]

    def __str__(self) -> str:
        return f"{self.station} {self.payment}"


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
