"""What each process has measured of itself, where every other finds it."""

import datetime as dt
import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

FRESH = dt.timedelta(seconds=30)
"""What a process says of its present is told for so long after it was written."""


class MeasuredProcess(models.Model):
    """The numbers of one process since it began, or, in the row `TOTAL`, of all that have ended.

    `counts` only grow, `gauges` tell the present: {name: [[labels, number or numbers], …]}.
    """

    TOTAL = uuid.UUID(int=0)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=130)
    kept_at = models.DateTimeField(default=timezone.now)
    counts = models.JSONField(default=dict)
    gauges = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("measured process")
        verbose_name_plural = _("measured processes")

    def __str__(self) -> str:
        return self.name
