"""What a station says its profiles add up to (GetCompositeSchedule)."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .station import Station


class CompositeSchedule(models.Model):
    """The last composite schedule that a station told of a connector; 0 is the station.

    `periods` are those of the answer, as they came over the wire (OCPP 1.6 §7.14).
    """

    station = models.ForeignKey(
        Station, on_delete=models.CASCADE, related_name="composite_schedules"
    )
    connector_id = models.IntegerField()
    start_at = models.DateTimeField()
    duration_s = models.PositiveIntegerField()
    unit = models.CharField(max_length=1)
    periods = models.JSONField()
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("composite schedule")
        verbose_name_plural = _("composite schedules")
        ordering = ["station", "connector_id"]
        constraints = [
            models.UniqueConstraint(fields=["station", "connector_id"], name="composite_once")
        ]

    def __str__(self) -> str:
        return f"{self.station}/{self.connector_id}"
