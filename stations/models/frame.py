"""OCPP messages as they came and went; a diary, never a source of money."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..identifiers import time_ordered_id
from .station import Station


class Frame(models.Model):
    """One WebSocket message of one station, secrets masked and what is huge cut.

    `message_id` is OCPP-J's: a call and its answer have the same. Stations begin anew with it, so
    it says nothing across minutes. On PostgreSQL the table has a partition a day.
    """

    class Direction(models.TextChoices):
        IN = "in", _("from the station")
        OUT = "out", _("to the station")

    id = models.UUIDField(primary_key=True, default=time_ordered_id, editable=False)
    station = models.ForeignKey(
        Station, on_delete=models.CASCADE, related_name="frames", db_index=False
    )
    direction = models.CharField(max_length=3, choices=Direction)
    action = models.CharField(max_length=50, blank=True)
    message_id = models.CharField(max_length=36, blank=True)
    text = models.TextField()
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("frame")
        verbose_name_plural = _("frames")
        ordering = ["-at"]
        indexes = [models.Index(fields=["station", "-at"])]

    def __str__(self) -> str:
        return f"{self.direction} {self.action}"
