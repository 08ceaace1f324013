"""A connector that is kept free for someone until a time (OCPP 1.6 §5.13, §3.10)."""

import datetime as dt

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.models import User
from stations.models import Station

from ..errors import ReservationNotFound
from .session import ChargingSession

WHOLE_SECONDS = dt.timedelta(seconds=1)
"""A station that drops fractions tells a start that seems older than what it followed."""


class ReservationQuerySet(models.QuerySet["Reservation"]):
    def active(self, at: dt.datetime | None = None) -> "ReservationQuerySet":
        """Those that keep others away now."""
        return self.filter(state__in=Reservation.ACTIVE, expires_at__gt=at or timezone.now())

    def valid_at(self, at: dt.datetime) -> "ReservationQuerySet":
        """Those that a start of that time may use; it may be told after their end."""
        told = self.filter(state__in=(*Reservation.ACTIVE, Reservation.State.EXPIRED))
        return told.filter(created_at__lte=at + WHOLE_SECONDS, expires_at__gt=at)

    def by_id(self, reservation_id: int) -> "Reservation":
        """Raises ReservationNotFound."""
        found = self.select_related("station", "user").filter(pk=reservation_id).first()
        if found is None:
            raise ReservationNotFound
        return found


class Reservation(models.Model):
    """A place that is held for a driver, a tag, or both; the lock of its station guards it.

    The key is the wire's reservationId: an int32 that no other station has. With `has_own_tag`,
    `id_tag` was made for it and the session that its driver starts takes the tag over; else it is
    a card. Connector 0 is any connector of the station. `is_at_station` is whether the station
    said that it holds the place; else Kubat alone does.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", _("requested")
        HELD = "held", _("held")
        REFUSED = "refused", _("refused")
        USED = "used", _("used")
        CANCELLED = "cancelled", _("cancelled")
        EXPIRED = "expired", _("expired")

    ACTIVE = (State.REQUESTED, State.HELD)

    id = models.AutoField(primary_key=True)
    station = models.ForeignKey(Station, on_delete=models.PROTECT, related_name="reservations")
    connector_id = models.PositiveIntegerField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="reservations",
    )
    id_tag = models.CharField(max_length=20)
    parent_id_tag = models.CharField(max_length=20, blank=True)
    has_own_tag = models.BooleanField()
    state = models.CharField(max_length=9, choices=State, default=State.REQUESTED)
    is_at_station = models.BooleanField(_("held at the station"), default=False)
    error_code = models.CharField(max_length=40, blank=True)
    session = models.OneToOneField(
        ChargingSession,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="reservation",
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = ReservationQuerySet.as_manager()

    class Meta:
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["station", "-created_at"]),
            models.Index(fields=["user", "-created_at"]),
            models.Index(
                fields=["expires_at"],
                condition=Q(state__in=["requested", "held"]),
                name="reservation_active",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.station}/{self.connector_id} #{self.pk}"

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE

    @property
    def reference(self) -> str:
        """How its commands, which know no reservations, refer to this one."""
        return f"reservation:{self.pk}"

    def is_of(self, driver: User | None) -> bool:
        return driver is not None and self.user_id == driver.pk

    def covers(self, connector_id: int) -> bool:
        return self.connector_id in (0, connector_id)

    def end(self, state: "Reservation.State", *, error_code: str = "") -> None:
        """Leave the active states, in the caller's transaction and under its lock."""
        self.state, self.error_code, self.ended_at = state, error_code, timezone.now()
        self.save(update_fields=["state", "error_code", "ended_at"])
