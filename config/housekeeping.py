"""What is thrown away after its time, in portions that hold no one up."""

import datetime as dt

from django.conf import settings

from stations.models import Frame, GatewayProcess

from .models import WorkerProcess

PORTION = 1000
"""Rows that one statement deletes: SQLite's other writers wait for it."""
PORTIONS = 10
FORGOTTEN_AFTER = dt.timedelta(days=1)


def delete_old_frames(now: dt.datetime) -> int:
    """Delete frames older than CSMS_FRAME_RETENTION_DAYS; return how many.

    At most some thousands at a time; what is left is for the next call.
    """
    limit = now - dt.timedelta(days=settings.CSMS_FRAME_RETENTION_DAYS)
    old = Frame.objects.filter(at__lt=limit).order_by("at")
    deleted = 0
    for _ in range(PORTIONS):
        portion = list(old.values_list("pk", flat=True)[:PORTION])
        deleted += Frame.objects.filter(pk__in=portion).delete()[0]
        if len(portion) < PORTION:
            break
    return deleted


def forget_dead_processes(now: dt.datetime) -> int:
    """Delete the rows of processes that ended without a word a day ago; return how many."""
    dead = {"lease_at__lt": now - FORGOTTEN_AFTER}
    gateways = GatewayProcess.objects.filter(**dead).delete()[0]
    return gateways + WorkerProcess.objects.filter(**dead).delete()[0]
