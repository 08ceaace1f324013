"""What is tried, step by step, when a station is to end a transaction, and what came of it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .session import ChargingSession

STOP_IGNORED = "stop_ignored"
"""The kind of alert of a session whose station does not end its transaction."""


class StopStepQuerySet(models.QuerySet["StopStep"]):
    def going_on(self) -> "StopStepQuerySet":
        """Those of stops that nothing has settled yet."""
        return self.filter(closed_at__isnull=True)


class StopStep(models.Model):
    """One step towards the end of a transaction, by Kubat (`asked_by` is empty) or by staff.

    `command_id` names its command, which goes after its time; `answer` is what the station said
    to it, and `outcome` what came of it. `energy_wh` is what had been delivered when the step was
    taken. `closed_at` is when the stop that it belongs to was over, one way or the other.
    """

    class Kind(models.TextChoices):
        REMOTE_STOP = "remote_stop", _("asked to stop")
        ZERO_PROFILE = "zero_profile", _("limited to zero")
        ALERT = "alert", _("operator alerted")
        UNLOCK = "unlock", _("connector unlocked")
        SOFT_RESET = "soft_reset", _("reset, soft")
        HARD_RESET = "hard_reset", _("reset, hard")
        BAR = "bar", _("next start barred")

    class Outcome(models.TextChoices):
        WAITING = "waiting", _("no answer yet")
        ACCEPTED = "accepted", _("accepted")
        REJECTED = "rejected", _("rejected")
        NO_ANSWER = "no_answer", _("no answer")
        CUT_OFF = "cut_off", _("connection lost")
        NOT_SUPPORTED = "not_supported", _("not supported")
        NOT_SENT = "not_sent", _("not sent")
        NO_EFFECT = "no_effect", _("accepted, did not help")
        DONE = "done", _("done")

    ENDING = (Kind.REMOTE_STOP, Kind.UNLOCK, Kind.SOFT_RESET, Kind.HARD_RESET)
    """Steps that should end the transaction. A barred connector goes on with the charge it has."""
    RESETS = (Kind.SOFT_RESET, Kind.HARD_RESET)

    session = models.ForeignKey(
        ChargingSession, on_delete=models.CASCADE, related_name="stop_steps"
    )
    kind = models.CharField(max_length=12, choices=Kind)
    outcome = models.CharField(max_length=13, choices=Outcome, default=Outcome.WAITING)
    answer = models.CharField(max_length=50, blank=True)
    command_id = models.UUIDField(null=True, blank=True, unique=True)
    energy_wh = models.BigIntegerField()
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    reason = models.CharField(max_length=200, blank=True)
    taken_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = StopStepQuerySet.as_manager()

    class Meta:
        verbose_name = _("step of a stop")
        verbose_name_plural = _("steps of a stop")
        ordering = ["taken_at", "id"]
        indexes = [
            models.Index(
                fields=["kind"], condition=Q(closed_at__isnull=True), name="stop_step_going_on"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.get_outcome_display()}"
