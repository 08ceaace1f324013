"""What a station said of its own safety (SecurityEventNotification)."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .station import Station


class SecurityEvent(models.Model):
    """One event; the same one again (station, type, its time, its text) is that row."""

    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="security_events")
    type = models.CharField(max_length=50, db_index=True)
    at = models.DateTimeField(null=True, blank=True, help_text=_("the station's clock"))
    tech_info = models.CharField(max_length=255, blank=True)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("security event")
        verbose_name_plural = _("security events")
        ordering = ["-received_at"]
        indexes = [
            models.Index(fields=["station", "-received_at"]),
            models.Index(fields=["received_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.station} {self.type}"
