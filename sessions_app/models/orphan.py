"""What a station said that belongs to no session we know (P8): kept, and shown to an operator."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from stations.models import Station

from .session import ChargingSession


class Orphan(models.Model):
    """One unattributed message. `key` makes its repetition harmless."""

    class Kind(models.TextChoices):
        START = "start", _("start that could not be read")
        READINGS = "readings", _("readings of an unknown transaction")
        STOP = "stop", _("stop of an unknown transaction")

    key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=8, choices=Kind)
    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="orphans")
    payload = models.JSONField()
    cause = models.CharField(max_length=200)
    received_at = models.DateTimeField(default=timezone.now)
    session = models.ForeignKey(
        ChargingSession, on_delete=models.SET_NULL, null=True, blank=True, related_name="orphans"
    )
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    resolution = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("unattributed message")
        verbose_name_plural = _("unattributed messages")
        ordering = ["-received_at"]
        indexes = [
            models.Index(
                fields=["received_at"], condition=Q(resolved_at__isnull=True), name="orphan_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.cause}"
