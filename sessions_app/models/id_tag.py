"""Cards and tags that may start a charge at a station."""

import datetime as dt

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class IdTag(models.Model):
    """A known tag (OCPP 1.6 §7.28 IdToken). Without a user it is the operator's: no charge.

    `identity` is the tag without case: tags are compared so (OCPP 1.6 §7.28, CiString20).
    """

    class Status(models.TextChoices):
        ACCEPTED = "Accepted", _("accepted")
        BLOCKED = "Blocked", _("blocked")

    id_tag = models.CharField(max_length=20)
    identity = models.CharField(max_length=40, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="id_tags",
    )
    status = models.CharField(max_length=8, choices=Status, default=Status.ACCEPTED)
    parent_id_tag = models.CharField(max_length=20, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["id_tag"]

    def __str__(self) -> str:
        return self.id_tag

    def is_expired(self, at: dt.datetime | None = None) -> bool:
        return self.expires_at is not None and self.expires_at <= (at or timezone.now())
