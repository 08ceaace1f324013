"""Charging profiles that stations are believed to have."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .station import Station


class InstalledProfile(models.Model):
    """One profile id of a station: what it was last told to hold under it, and what it answered.

    `profile` is the wire form of what the station last accepted, or was asked to take.
    """

    class State(models.TextChoices):
        ASKED = "asked", _("asked for")
        INSTALLED = "installed", _("installed")
        REFUSED = "refused", _("refused")
        CLEARED = "cleared", _("cleared")
        UNKNOWN = "unknown", _("unknown")

    HELD = (State.INSTALLED, State.UNKNOWN)
    """What may be at the station, and counts against its bounds."""

    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="profiles")
    connector_id = models.IntegerField()
    profile_id = models.IntegerField()
    purpose = models.CharField(max_length=30)
    stack_level = models.IntegerField()
    profile = models.JSONField()
    state = models.CharField(max_length=9, choices=State, default=State.ASKED)
    cause = models.CharField(max_length=50, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("charging profile")
        verbose_name_plural = _("charging profiles")
        ordering = ["station", "connector_id", "-stack_level", "profile_id"]
        constraints = [
            models.UniqueConstraint(fields=["station", "profile_id"], name="profile_once")
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.profile_id}"
