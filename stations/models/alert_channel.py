"""Where alerts are told: channels, what each was told, and what is silenced for a while."""

import datetime as dt
import uuid
import zoneinfo

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .alert import Alert
from .station import Site, Station


class AlertChannel(models.Model):
    """One way to tell people. `sealed_address` is its Apprise address, encrypted; never shown.

    No `kinds` are all kinds, no `sites` all sites and what belongs to none. Quiet hours are by
    its own clock; a `digest_minutes` of 0 tells each alert at once. `failing_since` and
    `last_error` say what came of the last attempt.
    """

    class Language(models.TextChoices):
        ENGLISH = "en", "English"
        RUSSIAN = "ru", "Русский"
        KYRGYZ = "ky", "Кыргызча"

    name = models.CharField(max_length=80, unique=True)
    service = models.CharField(max_length=60, blank=True, editable=False)
    sealed_address = models.TextField(editable=False)
    is_enabled = models.BooleanField(_("in use"), default=True)
    language = models.CharField(max_length=2, choices=Language, default=Language.ENGLISH)
    min_severity = models.CharField(
        _("from severity"),
        max_length=8,
        choices=Alert.Severity,
        default=Alert.Severity.WARNING,
    )
    kinds = models.JSONField(default=list, blank=True)
    sites = models.ManyToManyField(Site, blank=True, related_name="alert_channels")
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    breaks_quiet = models.BooleanField(
        _("critical alerts are told in quiet hours too"), default=True
    )
    digest_minutes = models.PositiveSmallIntegerField(
        default=0, help_text=_("0: each alert at once. Else all of so many minutes in one message.")
    )
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.CharField(max_length=500, blank=True, editable=False)
    last_sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("alert channel")
        verbose_name_plural = _("alert channels")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone or settings.CSMS_TIME_ZONE)

    @property
    def lane(self) -> str:
        """Its own lane of the outbox: when it is slow it holds up nobody else."""
        return f"alerts:{self.pk}"


class AlertNotice(models.Model):
    """That an alert opened or was resolved, as one channel is to tell it, once.

    It waits until `due_at`, because of what `held_by` says; then a message of the outbox takes
    it (`message`). What nobody needs to hear any more is dropped.
    """

    class Event(models.TextChoices):
        OPENED = "opened", _("opened")
        RESOLVED = "resolved", _("resolved")

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        DROPPED = "dropped", _("not needed any more")

    class Hold(models.TextChoices):
        NOTHING = "", _("nothing")
        DIGEST = "digest", _("the digest")
        QUIET = "quiet", _("quiet hours")
        SILENCE = "silence", _("a silence")

    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE, related_name="notices")
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="notices")
    event = models.CharField(max_length=8, choices=Event)
    status = models.CharField(max_length=7, choices=Status, default=Status.WAITING)
    held_by = models.CharField(max_length=7, choices=Hold, default=Hold.NOTHING, blank=True)
    due_at = models.DateTimeField()
    message = models.UUIDField(_("outbox message"), null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("alert notice")
        verbose_name_plural = _("alert notices")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "alert", "event"], name="alert_notice_once")
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(status="waiting", message__isnull=True),
                name="alert_notice_due",
            ),
            models.Index(
                fields=["message"], condition=Q(message__isnull=False), name="alert_notice_message"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.event}"


class AlertSilenceQuerySet(models.QuerySet["AlertSilence"]):
    def current(self, now: dt.datetime) -> "AlertSilenceQuerySet":
        return self.filter(until__gt=now, ended_at__isnull=True)


class AlertSilence(models.Model):
    """What nobody shall be told until a moment: of a kind, of a station, at a site, or of both."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40, blank=True)
    station = models.ForeignKey(
        Station, on_delete=models.CASCADE, null=True, blank=True, related_name="silences"
    )
    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, null=True, blank=True, related_name="silences"
    )
    until = models.DateTimeField(db_index=True)
    reason = models.CharField(max_length=200)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(_("ended early at"), null=True, blank=True, editable=False)

    objects = AlertSilenceQuerySet.as_manager()

    class Meta:
        verbose_name = _("silence")
        verbose_name_plural = _("silences")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind="") | Q(station__isnull=False) | Q(site__isnull=False),
                name="silence_is_of_something",
                violation_error_message=_("Name a kind, a station or a site."),
            )
        ]

    def __str__(self) -> str:
        what = (self.kind, self.station and str(self.station), self.site and str(self.site))
        return " · ".join(part for part in what if part)

    def covers(self, alert: Alert) -> bool:
        """Whether it is about this alert."""
        return (
            self.kind in ("", alert.kind)
            and self.station_id in (None, alert.station_id)
            and self.site_id in (None, alert.site_id)
        )

    def is_current(self, now: dt.datetime) -> bool:
        return self.until > now and self.ended_at is None
