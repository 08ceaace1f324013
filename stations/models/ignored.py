"""How often a station sent what is no message for us, or breaks its schema (P5)."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .station import Station


class IgnoredFrames(models.Model):
    """A count of one kind of frame of one station that was ignored, left out of the diary, or that
    broke its schema.

    `window_count` of them came since `window_at`, where the present window began.
    """

    class Kind(models.TextChoices):
        BINARY = "binary", _("binary")
        NO_MESSAGE = "no_message", _("not a message")
        LATE_ANSWER = "late_answer", _("answer to no open call")
        UNKEPT = "unkept", _("left out of the diary")
        BREACH = "breach", _("call that breaks its schema")

    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="ignored_frames")
    kind = models.CharField(max_length=11, choices=Kind)
    count = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField(default=timezone.now)
    window_at = models.DateTimeField(default=timezone.now)
    window_count = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("ignored frames")
        verbose_name_plural = _("ignored frames")
        ordering = ["-last_at"]
        constraints = [
            models.UniqueConstraint(fields=["station", "kind"], name="ignored_frames_once_a_kind")
        ]
        indexes = [
            models.Index(
                fields=["last_at"], condition=models.Q(kind="breach"), name="ignored_breaches"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.count}"
