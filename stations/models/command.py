"""Commands: calls from us to a station, each a row with a state and a deadline."""

import datetime as dt
import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.tracing import MAX_PARENT

from .station import Station


class Command(models.Model):
    """One call to a station. The row is the truth; the channel layer only rings a bell.

    `fence` is the socket that it was queued on (staff commands) or sent over: when that socket
    is gone, so is the command. `reference` is opaque here (a session, a set-up run).
    `trace_parent` is the step that queued it, in traces (`billing.tracing`).
    """

    class Lane(models.IntegerChoices):
        """The order in which one station's commands go out, lowest first."""

        STOP = 0, _("stop")
        ANSWER = 1, _("answer to the station")
        ASKED = 2, _("asked for by someone")
        OWN = 3, _("Kubat's own")

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        SENT = "sent", _("sent")
        ANSWERED = "answered", _("answered")
        FAILED = "failed", _("failed")
        TIMED_OUT = "timed_out", _("no answer")
        EXPIRED = "expired", _("expired")

    OPEN = (Status.QUEUED, Status.SENT)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="commands")
    action = models.CharField(max_length=50)
    payload = models.JSONField(default=dict)
    lane = models.PositiveSmallIntegerField(choices=Lane)
    status = models.CharField(max_length=9, choices=Status, default=Status.QUEUED)
    response = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    reference = models.CharField(max_length=80, blank=True, db_index=True)
    fence = models.BigIntegerField(null=True, blank=True)
    timeout_s = models.PositiveSmallIntegerField(default=15)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    trace_parent = models.CharField(
        max_length=MAX_PARENT, blank=True, default="", db_default="", editable=False
    )

    class Meta:
        verbose_name = _("command")
        verbose_name_plural = _("commands")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["status"], name="command_status"),
            models.Index(
                fields=["station", "lane", "created_at"],
                condition=models.Q(status__in=["queued", "sent"]),
                name="command_open",
            ),
            models.Index(
                fields=["resolved_at"],
                condition=models.Q(resolved_at__isnull=False),
                name="command_resolved",
            ),
            models.Index(
                fields=["station", "-created_at"],
                condition=models.Q(reference__in=["setup", "apply"]),
                name="command_step",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.status}"

    @property
    def timeout(self) -> dt.timedelta:
        return dt.timedelta(seconds=self.timeout_s)
