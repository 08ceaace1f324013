"""Keys that went to a station and that it has not been proved to have taken."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .station import Station


class PendingKey(models.Model):
    """A key that is good beside the station's own until an answer or a handshake settles it.

    Several wait where one rotation follows another and each answer is lost. `digest` is as in
    `Station.key_digest`; the newest has the highest id.
    """

    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="pending_keys")
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("key on its way")
        verbose_name_plural = _("keys on their way")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["station", "digest"], name="pending_key_once")
        ]

    def __str__(self) -> str:
        return str(self.station)
