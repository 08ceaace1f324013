"""How a station obeys: how long its stops take, and whether it sends samples when asked."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .station import Station


class StopHabit(models.Model):
    """One row a station that was stopped or asked; none means that nothing is known.

    `latencies_s` are its last stops, the latest last: seconds from our decision to the end of
    delivery. `refused_until` is until when it is not asked for samples, because it refused.
    """

    station = models.OneToOneField(Station, on_delete=models.CASCADE, related_name="stop_habit")
    latencies_s = models.JSONField(_("stops took, s"), default=list, blank=True)
    refused_until = models.DateTimeField(_("not asked for samples until"), null=True, blank=True)

    class Meta:
        verbose_name = _("stop habit")
        verbose_name_plural = _("stop habits")
        ordering = ["station__station_id"]

    def __str__(self) -> str:
        return f"{self.station}"
