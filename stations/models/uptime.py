"""When stations were there and on sale, what of it is excused, and the uptime of each month."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .station import Station


class StationChange(models.Model):
    """A station came or went, or was put on sale or taken off: append-only. The same again may
    follow the same."""

    class Kind(models.TextChoices):
        PRESENCE = "presence", _("connected")
        SALE = "sale", _("on sale")

    station = models.ForeignKey(
        Station, on_delete=models.CASCADE, related_name="changes", db_index=False
    )
    kind = models.CharField(max_length=8, choices=Kind)
    is_on = models.BooleanField(_("on"))
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("change of presence or sale")
        verbose_name_plural = _("changes of presence and sale")
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["station", "kind", "at"], name="station_change")]

    def __str__(self) -> str:
        return f"{self.station} {self.kind} {self.is_on}"


class UptimeExclusion(models.Model):
    """A time that staff say was outside of our control, and why (23 CFR 680.116(b)(3)).

    Of an outage the part within it is excused; it makes no outage of its own. Withdrawn, it stays.
    """

    class Category(models.TextChoices):
        UTILITY = "utility", _("the electric utility interrupted its service")
        VEHICLE = "vehicle", _("the vehicle's fault")
        MAINTENANCE = "maintenance", _("scheduled maintenance")
        VANDALISM = "vandalism", _("vandalism")
        DISASTER = "disaster", _("natural disaster")
        HOURS = "hours", _("outside of the hours of operation")

    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="uptime_exclusions")
    connector_id = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Empty: all of the station.")
    )
    began_at = models.DateTimeField(_("from"))
    ended_at = models.DateTimeField(_("to"))
    category = models.CharField(max_length=11, choices=Category)
    reason = models.CharField(max_length=200)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )

    class Meta:
        verbose_name = _("excluded outage")
        verbose_name_plural = _("excluded outages")
        ordering = ["-began_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__gt=F("began_at")), name="exclusion_has_a_length"
            )
        ]

    def __str__(self) -> str:
        return f"{self.station} {self.began_at:%Y-%m-%d %H:%M} {self.category}"


def percent(part_s: int, of_s: int) -> Decimal | None:
    """A share in percent with three decimals; None of nothing."""
    if not of_s:
        return None
    return (Decimal(part_s) * 100 / Decimal(of_s)).quantize(Decimal("0.001"))


class UptimeMonth(models.Model):
    """One connector in one month of its station's time zone, in seconds (docs/uptime.md).

    `counted_s` is the time that is judged: on sale, and after the station was first seen.
    `outage_s` is `offline_s` and `inoperative_s` together, each moment once; `excluded_s` is the
    part of it that is excused. Once `is_final` it stays as it is until staff recompute it.
    """

    station = models.ForeignKey(
        Station, on_delete=models.CASCADE, related_name="uptime_months", db_index=False
    )
    connector_id = models.PositiveIntegerField()
    month = models.DateField(help_text=_("its first day"))
    time_zone = models.CharField(max_length=64)
    counted_s = models.PositiveIntegerField()
    off_sale_s = models.PositiveIntegerField()
    offline_s = models.PositiveIntegerField()
    inoperative_s = models.PositiveIntegerField()
    outage_s = models.PositiveIntegerField()
    excluded_s = models.PositiveIntegerField()
    outage_count = models.PositiveIntegerField()
    outages = models.JSONField(default=list)
    is_final = models.BooleanField(default=False)
    computed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("uptime of a month")
        verbose_name_plural = _("uptime")
        ordering = ["-month", "station", "connector_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["station", "connector_id", "month"], name="uptime_once_a_month"
            )
        ]
        indexes = [models.Index(fields=["month", "station"], name="uptime_by_month")]

    def __str__(self) -> str:
        return f"{self.station}/{self.connector_id} {self.month:%Y-%m}"

    @property
    def uptime_percent(self) -> Decimal | None:
        """By 23 CFR 680.116(b)(3), with this month's seconds in the place of a year's minutes."""
        return percent(self.counted_s - (self.outage_s - self.excluded_s), self.counted_s)
