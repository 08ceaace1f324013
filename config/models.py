"""Who does what is due: the workers that are alive."""

import datetime as dt
import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

LEASE = dt.timedelta(seconds=30)
"""A worker whose lease is older than this is taken for dead."""


class WorkerQuerySet(models.QuerySet["WorkerProcess"]):
    def alive(self) -> "WorkerQuerySet":
        return self.filter(lease_at__gt=timezone.now() - LEASE)


class WorkerProcess(models.Model):
    """A running worker loop, in a process of its own or inside `serve`.

    A row, not a cache entry: without Redis two processes share nothing but the database.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(max_length=120)
    started_at = models.DateTimeField(default=timezone.now)
    lease_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        verbose_name = _("worker process")
        verbose_name_plural = _("worker processes")

    def __str__(self) -> str:
        return f"{self.host} {self.id}"


class Tally(models.Model):
    """Numbers of a whole table as the worker last counted them (`config.tallies`).

    `numbers` is a list of rows, labels first; `until` is the moment that they hold for, `due_at`
    when they are counted again.
    """

    name = models.CharField(max_length=20, primary_key=True)
    numbers = models.JSONField(default=list)
    until = models.DateTimeField()
    due_at = models.DateTimeField()

    class Meta:
        verbose_name = _("tally")
        verbose_name_plural = _("tallies")

    def __str__(self) -> str:
        return self.name


class RuleLook(models.Model):
    """When a rule of alerts was last looked at, and by which claim (`config.watch`).

    The claim lets one worker look at a time; it runs out if that worker dies. `until` is how far
    a rule that reads what is new has read.
    """

    kind = models.CharField(max_length=40, primary_key=True)
    due_at = models.DateTimeField(db_index=True)
    looked_at = models.DateTimeField(null=True, blank=True)
    took_ms = models.PositiveIntegerField(default=0)
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("look of a rule")
        verbose_name_plural = _("looks of rules")

    def __str__(self) -> str:
        return self.kind
