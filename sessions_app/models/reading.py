"""Meter readings, one row a moment."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from stations.models import Station

from .session import ChargingSession


class Reading(models.Model):
    """One normalised sample: register in Wh, power in W, both clocks, and its frame.

    (session, at) is its key: the same moment sent again changes nothing. On PostgreSQL the table
    has a partition a month of `at`. Both foreign keys lead an index below.
    """

    session = models.ForeignKey(
        ChargingSession,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="readings",
        db_index=False,
    )
    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="+", db_index=False)
    connector_id = models.PositiveIntegerField()
    at = models.DateTimeField(help_text=_("the station's clock"))
    received_at = models.DateTimeField()
    register_wh = models.DecimalField(max_digits=15, decimal_places=3, null=True, blank=True)
    power_w = models.DecimalField(max_digits=12, decimal_places=1, null=True, blank=True)
    soc = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    context = models.CharField(max_length=24, blank=True)
    flags = models.JSONField(default=list, blank=True)
    frame_id = models.UUIDField(null=True, blank=True)

    class Meta:
        verbose_name = _("reading")
        verbose_name_plural = _("readings")
        ordering = ["-at"]
        constraints = [models.UniqueConstraint(fields=["session", "at"], name="reading_once")]
        indexes = [models.Index(fields=["station", "connector_id", "-at"])]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.register_wh} Wh"
