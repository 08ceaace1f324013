"""Firmware: images, campaigns that bring one to many stations, and each station's part."""

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .command import Command
from .station import Station

HOUR = MaxValueValidator(23)
PERCENT = MaxValueValidator(100)
AT_LEAST_ONE = MinValueValidator(1)


class FirmwareImage(models.Model):
    """One version of firmware: a file of ours (`path`), or an address of its maker's (`uri`).

    It never changes. One that is signed goes out by SignedUpdateFirmware, others by
    UpdateFirmware. `version` is what a station reports at boot once it runs this.
    """

    vendor = models.CharField(max_length=50, blank=True)
    model = models.CharField(max_length=50, blank=True)
    version = models.CharField(max_length=50)
    file_name = models.CharField(max_length=100, blank=True)
    path = models.CharField(max_length=100, blank=True)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    uri = models.CharField(_("address of the maker's"), max_length=512, blank=True)
    signature = models.TextField(blank=True)
    signing_certificate = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("firmware image")
        verbose_name_plural = _("firmware images")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return " ".join(part for part in (self.vendor, self.model, self.version) if part)

    @property
    def is_signed(self) -> bool:
        return bool(self.signature)

    def is_for(self, station: Station) -> bool:
        """Whether a station is of the make that this was built for; empty means any."""
        asked = ((self.vendor, station.vendor), (self.model, station.model))
        return all(not ours or ours.casefold() == theirs.casefold() for ours, theirs in asked)


class FirmwareCampaign(models.Model):
    """One image on its way to a group of stations, at most `max_at_once` at a time.

    The window is in hours of each station's own clock and may go past midnight. `stop_percent`
    is how many of its stations may fail before the rest is left alone.
    """

    class Status(models.TextChoices):
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        STOPPED = "stopped", _("stopped: too many failed")
        CANCELLED = "cancelled", _("cancelled")
        COMPLETED = "completed", _("completed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    image = models.ForeignKey(FirmwareImage, on_delete=models.PROTECT, related_name="campaigns")
    status = models.CharField(max_length=9, choices=Status, default=Status.RUNNING)
    begins_at = models.DateTimeField(default=timezone.now)
    from_hour = models.PositiveSmallIntegerField(null=True, blank=True, validators=[HOUR])
    until_hour = models.PositiveSmallIntegerField(null=True, blank=True, validators=[HOUR])
    max_at_once = models.PositiveSmallIntegerField(default=5, validators=[AT_LEAST_ONE])
    stop_percent = models.PositiveSmallIntegerField(default=10, validators=[PERCENT])
    retries = models.PositiveSmallIntegerField(default=3)
    retry_interval_s = models.PositiveIntegerField(default=300)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("firmware campaign")
        verbose_name_plural = _("firmware campaigns")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class UpdateStatus(models.TextChoices):
    QUEUED = "queued", _("waits")
    ASKED = "asked", _("asked")
    DOWNLOADING = "downloading", _("downloading")
    DOWNLOADED = "downloaded", _("downloaded")
    INSTALLING = "installing", _("installing")
    INSTALLED = "installed", _("installed")
    FAILED = "failed", _("failed")
    SKIPPED = "skipped", _("skipped")


_S = UpdateStatus
_LATER = frozenset({_S.DOWNLOADING, _S.DOWNLOADED, _S.INSTALLING, _S.INSTALLED})
UPDATE_MOVES: dict[UpdateStatus, frozenset[UpdateStatus]] = {
    # One that waits to be asked again may have heard the first time.
    _S.QUEUED: frozenset({_S.ASKED, _S.FAILED, _S.SKIPPED}) | _LATER,
    _S.ASKED: frozenset({_S.QUEUED, _S.FAILED, _S.SKIPPED}) | _LATER,
    _S.DOWNLOADING: frozenset({_S.DOWNLOADED, _S.INSTALLING, _S.INSTALLED, _S.FAILED}),
    _S.DOWNLOADED: frozenset({_S.INSTALLING, _S.INSTALLED, _S.FAILED}),
    _S.INSTALLING: frozenset({_S.INSTALLED, _S.FAILED}),
    # A station goes on trying after it told of a failure, or speaks after we gave it up.
    _S.FAILED: frozenset({_S.QUEUED}) | _LATER,
    _S.SKIPPED: frozenset({_S.QUEUED}),
    _S.INSTALLED: frozenset(),
}
ACTIVE = (_S.ASKED, _S.DOWNLOADING, _S.DOWNLOADED, _S.INSTALLING)
ENDED = (_S.INSTALLED, _S.FAILED, _S.SKIPPED)


class FirmwareUpdate(models.Model):
    """One station's part of a campaign. Its number is the `requestId` of a signed update.

    `told` is the last status that the station sent, `due_at` when its silence has lasted too long
    (or, while it waits, when it is asked again), `expires_at` when its address of the file ends.
    """

    campaign = models.ForeignKey(FirmwareCampaign, on_delete=models.CASCADE, related_name="updates")
    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="firmware_updates")
    status = models.CharField(max_length=11, choices=UpdateStatus, default=UpdateStatus.QUEUED)
    cause = models.CharField(max_length=40, blank=True)
    told = models.CharField(max_length=30, blank=True)
    version_before = models.CharField(max_length=60, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    command = models.ForeignKey(
        Command, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    asked_at = models.DateTimeField(null=True, blank=True)
    moved_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("firmware update")
        verbose_name_plural = _("firmware updates")
        ordering = ["campaign", "id"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "station"], name="firmware_once_a_station"),
            models.UniqueConstraint(
                fields=["station"], condition=Q(status__in=ACTIVE), name="firmware_one_at_a_time"
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(due_at__isnull=False), name="firmware_update_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.station}: {self.get_status_display()}"

    def may_become(self, status: UpdateStatus) -> bool:
        return status in UPDATE_MOVES[UpdateStatus(self.status)]


class FirmwareReport(models.Model):
    """What a station last said of its firmware, whoever asked for the update."""

    station = models.OneToOneField(
        Station, on_delete=models.CASCADE, primary_key=True, related_name="firmware_report"
    )
    status = models.CharField(max_length=30)
    request_id = models.BigIntegerField(null=True, blank=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("firmware status")
        verbose_name_plural = _("firmware statuses")

    def __str__(self) -> str:
        return f"{self.station}: {self.status}"
