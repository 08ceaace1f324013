"""What drivers are told: what they chose, how they are reached, and each notice with its end."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class NoticeKind(models.TextChoices):
    """What a driver switches on and off; several texts may belong to one kind."""

    CHARGING_ENDED = "charging_ended", _("charging ended")
    LIMIT_REACHED = "limit_reached", _("stopped by the limit")
    NEARLY_USED = "nearly_used", _("limit nearly used")
    STATION_LOST = "station_lost", _("station lost")
    START_FAILED = "start_failed", _("charging did not start")
    MONEY = "money", _("money arrived or sent back")


class NoticeChannel(models.TextChoices):
    EMAIL = "email", _("e-mail")
    SMS = "sms", _("SMS")
    TELEGRAM = "telegram", _("Telegram")


class NoticePreference(models.Model):
    """How one person is told. Without a row, and for a kind not in `choices`, by the default.

    `choices` is {kind: [channel]}. `email` is where a guest asked to be told. The code that links
    a Telegram chat is kept as a digest, and is good until `telegram_code_until`.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="notice_preference",
    )
    choices = models.JSONField(default=dict, blank=True)
    email = models.EmailField(_("e-mail of a guest"), blank=True)
    telegram_chat = models.BigIntegerField(null=True, blank=True)
    telegram_code_digest = models.CharField(max_length=64, unique=True, null=True, blank=True)
    telegram_code_until = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("notice preference")
        verbose_name_plural = _("notice preferences")
        indexes = [
            models.Index(
                fields=["telegram_code_until"],
                condition=Q(telegram_code_until__isnull=False),
                name="notice_code_until",
            ),
            models.Index(
                fields=["telegram_chat"],
                condition=Q(telegram_chat__isnull=False),
                name="notice_telegram_chat",
            ),
        ]

    def __str__(self) -> str:
        return str(self.user)


class Notice(models.Model):
    """One thing said to one person by one channel, and whether it got there.

    Its id follows from kind, cause and channel, so the same cause is told once. After `stale_at`
    it is of no use and is dropped. Of the address, `address` is what staff may see, and
    `address_digest` counts what it was sent.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        SENT = "sent", _("sent")
        FAILED = "failed", _("not delivered")
        DROPPED = "dropped", _("dropped")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="notices"
    )
    kind = models.CharField(max_length=16, choices=NoticeKind)
    channel = models.CharField(max_length=8, choices=NoticeChannel)
    cause = models.CharField(max_length=120)
    language = models.CharField(max_length=2)
    text = models.TextField()
    link = models.CharField(max_length=300, blank=True)
    status = models.CharField(max_length=7, choices=Status, default=Status.QUEUED)
    reason = models.CharField(max_length=80, blank=True)
    address = models.CharField(max_length=80, blank=True)
    address_digest = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    stale_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("notice to a driver")
        verbose_name_plural = _("notices to drivers")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="notice_of_user"),
            models.Index(fields=["created_at"], name="notice_created"),
            models.Index(fields=["cause"], name="notice_cause"),
            models.Index(
                fields=["address_digest", "ended_at"],
                condition=Q(status="sent"),
                name="notice_sent",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.channel} {self.status}"
