"""Answers that were given to requests with an Idempotency-Key."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class IdempotentRequest(models.Model):
    """One key of one user on one path; `status_code` is null while the request runs.

    `claim` says who runs it: only the request that made the present claim may store its answer.
    `answer` is text, not JSON: a repeat gets the same bytes, and jsonb would reorder them.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    body_digest = models.CharField(max_length=64)
    claim = models.UUIDField(default=uuid.uuid4)
    claimed_at = models.DateTimeField(default=timezone.now, db_index=True)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.TextField(blank=True)

    class Meta:
        verbose_name = _("idempotent request")
        verbose_name_plural = _("idempotent requests")
        constraints = [
            models.UniqueConstraint(fields=["user", "path", "key"], name="idempotency_key_once")
        ]

    def __str__(self) -> str:
        return f"{self.path} {self.key}"
