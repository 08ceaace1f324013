"""The nightly results of reconcile, one row a local day."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ReconcileRun(models.Model):
    """What reconcile found in the night after `day`, and the totals that closed that day.

    `exit` is that of the command (0 clean, 1 findings, 2 failure), null while it runs. `claim`
    says who runs it: only the present claim may store a result. `findings` is bounded, `counts`
    ({code: how many}) is not. `totals` are minor units by kind of account in `time_zone`.
    """

    class Exit(models.IntegerChoices):
        CLEAN = 0, _("clean")
        FINDINGS = 1, _("findings")
        FAILURE = 2, _("could not finish")

    day = models.DateField(unique=True)
    time_zone = models.CharField(max_length=64)
    claim = models.UUIDField(default=uuid.uuid4)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    exit = models.PositiveSmallIntegerField(choices=Exit, null=True, blank=True)
    counts = models.JSONField(default=dict, blank=True)
    findings = models.JSONField(default=list, blank=True)
    totals = models.JSONField(default=list, blank=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = _("nightly reconcile")
        verbose_name_plural = _("nightly reconciles")
        ordering = ["-day"]
        constraints = [
            models.CheckConstraint(
                condition=Q(exit__isnull=True, finished_at__isnull=True)
                | Q(exit__isnull=False, finished_at__isnull=False),
                name="reconcile_run_finished_iff_exit",
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.outcome}"

    @property
    def outcome(self) -> str:
        return str(_("running") if self.exit is None else self.get_exit_display())
