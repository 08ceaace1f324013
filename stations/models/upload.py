"""Logs and diagnostics: what a station was asked to hand in, and the files that came."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .command import Command
from .station import Station


class LogRequest(models.Model):
    """One call for logs. Its number is the `requestId` of GetLog.

    `file_name` is what the station said it would send. Where `is_external`, the files go to
    another server and are never seen here. `expires_at` ends the address; until `due_at` the
    station may be silent.
    """

    class Kind(models.TextChoices):
        DIAGNOSTICS = "diagnostics", _("diagnostics (GetDiagnostics)")
        DIAGNOSTICS_LOG = "DiagnosticsLog", _("diagnostics log (GetLog)")
        SECURITY_LOG = "SecurityLog", _("security log (GetLog)")

    class Status(models.TextChoices):
        ASKED = "asked", _("asked")
        ACCEPTED = "accepted", _("accepted")
        UPLOADING = "uploading", _("uploading")
        UPLOADED = "uploaded", _("uploaded")
        FAILED = "failed", _("failed")
        TIMED_OUT = "timed_out", _("timed out")

    OPEN = (Status.ASKED, Status.ACCEPTED, Status.UPLOADING)

    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="log_requests")
    kind = models.CharField(max_length=14, choices=Kind)
    status = models.CharField(max_length=9, choices=Status, default=Status.ASKED)
    cause = models.CharField(max_length=40, blank=True)
    oldest = models.DateTimeField(null=True, blank=True)
    latest = models.DateTimeField(null=True, blank=True)
    file_name = models.CharField(max_length=255, blank=True)
    is_external = models.BooleanField(default=False)
    command = models.ForeignKey(
        Command, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    expires_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("log request")
        verbose_name_plural = _("log requests")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.station}: {self.get_kind_display()}"


class ReceivedFile(models.Model):
    """One file that a station handed in. It lies under a name of ours, never under `name`."""

    request = models.ForeignKey(LogRequest, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=255)
    path = models.CharField(max_length=100)
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    received_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("received file")
        verbose_name_plural = _("received files")
        ordering = ["-received_at"]

    def __str__(self) -> str:
        return self.name
