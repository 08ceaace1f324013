"""The measures of all processes, by way of rows: right whichever process is asked.

Each process writes all that it has counted since it began into a row of its own, every few
seconds. Who wants the sum adds up the rows. Of a process that has ended the row stays, and is
later folded into one row for all of them: so no sum ever falls, and a process that is killed
takes with it only what it counted since it last wrote.
"""

import datetime as dt
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from . import measures
from .measures import Counts, Measure, Value
from .models import MeasuredProcess
from .models.measured import FRESH

FOLD_AFTER = dt.timedelta(minutes=10)
"""A process that has written nothing for so long is taken for dead; one that was only away begins
a new row, with what it has counted since."""
_POOL_STATES = {"pool_size": "open", "pool_available": "free", "requests_waiting": "waited for"}
_POOL_OUTCOMES = {"requests_num": "asked", "requests_queued": "waited", "requests_errors": "failed"}


class Keeper:
    """Writes what this process has measured."""

    def __init__(self, registered: tuple[Measure, ...] = measures.MEASURES) -> None:
        self.id = uuid.uuid4()
        self.name = f"{socket.gethostname()[:110]}/{os.getpid()}"
        self._measures = registered
        self._lock = threading.Lock()
        self._folded: Counts = {}
        """What of it was added to the row of those that have ended, while we seemed dead."""
        self._kept: Counts = {}
        self._has_row = False

    def keep(self, *, is_ending: bool = False) -> None:
        """Write the numbers; nothing is lost where that fails, they are written the next time.

        A process that ends takes back what it says of its present.
        """
        with self._lock:
            look_at_process()
            counts, gauges = self._snapshot()
            self._write(counts, {} if is_ending else gauges)
            self._kept = counts

    def _snapshot(self) -> tuple[Counts, Counts]:
        counts: Counts = {}
        gauges: Counts = {}
        for measure in self._measures:
            target = counts if measures.is_lasting(measure) else gauges
            target[measure.name] = measure.copy()
        return counts, gauges

    def _write(self, counts: Counts, gauges: Counts) -> None:
        row = MeasuredProcess.objects.filter(pk=self.id)
        if not row.update(**self._columns(counts, gauges)):
            if self._has_row:
                self._folded = self._kept
            MeasuredProcess.objects.create(
                pk=self.id, name=self.name, **self._columns(counts, gauges)
            )
        self._has_row = True

    def _columns(self, counts: Counts, gauges: Counts) -> dict[str, Any]:
        mine = measures.since(counts, self._folded) if self._folded else counts
        return {"kept_at": timezone.now(), "counts": _to_json(mine), "gauges": _to_json(gauges)}


KEEPER = Keeper()


def keep() -> None:
    """Write what this process has measured."""
    KEEPER.keep()


def sign_off() -> None:
    """Write it for the last time."""
    KEEPER.keep(is_ending=True)


def counted() -> Counts:
    """What all processes have ever counted, read by one query: a fold beside it changes nothing."""
    rows = MeasuredProcess.objects.order_by().values_list("counts", flat=True)
    return measures.total(_from_json(counts) for counts in rows)


def present() -> list[tuple[str, Counts]]:
    """What each living process says of its present, by its name."""
    fresh = MeasuredProcess.objects.filter(kept_at__gt=timezone.now() - FRESH)
    rows = fresh.exclude(gauges={}).order_by("name").values_list("name", "gauges")
    return [(name, _from_json(gauges)) for name, gauges in rows]


@transaction.atomic
def fold(now: dt.datetime) -> int:
    """Add the numbers of processes that have ended to one row; return how many were added.

    Two workers at once add them once: whoever locks the row of the sum first.
    """
    first = {"name": "ended", "kept_at": now}
    MeasuredProcess.objects.get_or_create(pk=MeasuredProcess.TOTAL, defaults=first)
    kept = MeasuredProcess.objects.select_for_update().get(pk=MeasuredProcess.TOTAL)
    silent = MeasuredProcess.objects.filter(kept_at__lt=now - FOLD_AFTER).exclude(pk=kept.pk)
    ended = list(silent.select_for_update())
    if ended:
        parts = [kept, *sorted(ended, key=lambda row: row.kept_at)]
        kept.counts = _to_json(measures.total(_from_json(row.counts) for row in parts))
        kept.kept_at = now
        kept.save()
        MeasuredProcess.objects.filter(pk__in=[row.pk for row in ended]).delete()
    return len(ended)


def look_at_process() -> None:
    """Measure what is not counted as it happens: CPU, memory, and the pool of connections."""
    measures.CPU.set(round(time.process_time(), 3))
    with suppress(OSError):  # elsewhere than on Linux
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        measures.MEMORY.set(pages * os.sysconf("SC_PAGE_SIZE"))
    pool = getattr(connection, "pool", None)
    if pool is not None:
        told = pool.get_stats()
        for key, state in _POOL_STATES.items():
            measures.POOL.set(told.get(key, 0), state)
        for key, outcome in _POOL_OUTCOMES.items():
            measures.POOL_REQUESTS.set(told.get(key, 0), outcome)
        measures.POOL_WAIT.set(told.get("requests_wait_ms", 0) / 1000)


def _to_json(counts: Counts) -> dict[str, list[tuple[list[str], Value]]]:
    return {
        name: [(list(labels), value) for labels, value in series.items()]
        for name, series in counts.items()
        if series
    }


def _from_json(counts: dict[str, list[tuple[list[str], Value]]]) -> Counts:
    return {
        name: {tuple(labels): value for labels, value in series} for name, series in counts.items()
    }
