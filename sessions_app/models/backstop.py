"""What holds a session at its limit when nobody can reach its station: the profile that it has."""

from django.db import models
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from stations.models import Station

from ..profile_plan import Plan
from .session import ChargingSession


class Backstop(models.Model):
    """The plan that stands at the station for a session, and the one that it is asked to take.

    `zero_at` is when the standing one ends the delivery. `silences` counts calls in a row that got
    no answer, `not_before` is when it may be asked again. `is_loose`: a limit near the power of
    the car slowed it down.
    """

    class State(models.TextChoices):
        ASKED = "asked", _("asked for")
        STANDING = "standing", _("at the station")
        REFUSED = "refused", _("refused")
        UNKNOWN = "unknown", _("no answer")

    session = models.OneToOneField(
        ChargingSession, on_delete=models.CASCADE, primary_key=True, related_name="backstop"
    )
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    answer = models.CharField(max_length=50, blank=True)
    plan = models.JSONField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    zero_at = models.DateTimeField(null=True, blank=True)
    asked = models.JSONField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    renewals = models.PositiveIntegerField(default=0)
    silences = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    is_loose = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("backstop")
        verbose_name_plural = _("backstops")
        ordering = [F("asked_at").desc(nulls_last=True)]

    def __str__(self) -> str:
        return f"{self.state} {self.zero_at:%H:%M:%S}" if self.zero_at else self.state

    @property
    def standing(self) -> Plan | None:
        """The plan at the station; one that came with the start counts from when that was."""
        if not self.plan:
            return None
        plan, started_at = Plan.from_json(self.plan), self.session.started_at
        if plan.starts_at is None:
            return plan.begun(started_at) if started_at else None
        return plan


class BackstopRefusal(models.Model):
    """A station that took no profile of ours: until when it is not asked again unasked."""

    station = models.OneToOneField(
        Station, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    action = models.CharField(max_length=50)
    answer = models.CharField(max_length=50)
    refused_at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()

    class Meta:
        verbose_name = _("refused backstop")
        verbose_name_plural = _("refused backstops")
        ordering = ["-refused_at"]

    def __str__(self) -> str:
        return f"{self.station} {self.answer}"
