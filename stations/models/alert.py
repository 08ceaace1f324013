"""Alerts: one open row for one cause, resolved when the cause is gone."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .station import Site, Station


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> "AlertQuerySet":
        return self.filter(resolved_at__isnull=True)


class Alert(models.Model):
    """Something an operator should know. `cause` names it, e.g. `stop_ignored:<session>`.

    `site` is that of its station when it was opened, or the place that it is about.
    `resolved_by` and `resolution` say who resolved it by hand and why; else its cause was gone.
    """

    class Severity(models.TextChoices):
        INFO = "info", _("information")
        WARNING = "warning", _("warning")
        CRITICAL = "critical", _("critical")

    kind = models.CharField(max_length=40, db_index=True)
    cause = models.CharField(max_length=120)
    severity = models.CharField(max_length=8, choices=Severity, default=Severity.WARNING)
    station = models.ForeignKey(
        Station, on_delete=models.CASCADE, null=True, blank=True, related_name="alerts"
    )
    site = models.ForeignKey(
        Site, on_delete=models.SET_NULL, null=True, blank=True, related_name="alerts"
    )
    text = models.CharField(max_length=250)
    detail = models.JSONField(default=dict, blank=True)
    count = models.PositiveIntegerField(default=1)
    opened_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    resolution = models.CharField(max_length=200, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-opened_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["cause"], condition=Q(resolved_at__isnull=True), name="alert_once_a_cause"
            )
        ]
        indexes = [
            models.Index(fields=["kind"], condition=Q(resolved_at__isnull=True), name="alert_open"),
            models.Index(
                fields=["resolved_at"],
                condition=Q(resolved_at__isnull=False),
                name="alert_resolved",
            ),
        ]

    def __str__(self) -> str:
        return self.text

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None
