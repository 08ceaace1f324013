"""Sockets of a station that newer ones replaced soon after they were opened."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .station import Station


class Takeovers(models.Model):
    """The last young sockets of one station that were replaced, as evidence that two devices
    share its identity.

    `recent` is a list of [moment, remote address, serial number], the newest last.
    """

    station = models.OneToOneField(
        Station, on_delete=models.CASCADE, primary_key=True, related_name="takeovers"
    )
    recent = models.JSONField(default=list)
    last_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("takeovers of sockets")
        verbose_name_plural = _("takeovers of sockets")

    def __str__(self) -> str:
        return str(self.station)
