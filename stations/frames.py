"""The diary of OCPP messages: masked, kept in memory for a moment, written in batches.

A reply never waits for it: when a frame comes it is only noted, and what its row needs is made by
who writes it. It is bounded: when the database cannot keep up, the oldest lines are dropped and
counted.
"""

import datetime as dt
import itertools
import logging
import threading
import time
from collections import Counter, deque
from typing import Any

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from . import frame_rows, measures
from .frame_rows import Noted
from .identifiers import CHANCE_BITS, chance
from .models import Frame, IgnoredFrames

logger = logging.getLogger(__name__)

IN, OUT = Frame.Direction.IN.value, Frame.Direction.OUT.value

MAX_WAITING = 40_000
"""Two seconds of 10,000 calls a second and their answers."""
MAX_WAITING_CHARS = 32 * 1024 * 1024
BATCH = 2_000


_NUMBER_BITS = 24


Kind = IgnoredFrames.Kind


class FrameLog:
    """Frames that wait to be written. One thread adds, and one thread at a time calls `write`."""

    def __init__(self) -> None:
        self.dropped = 0
        self._ignored: Counter[tuple[int, IgnoredFrames.Kind]] = Counter()
        self._waiting: deque[Noted] = deque()
        self._chars_added = 0
        self._chars_taken = 0
        self._numbers = itertools.count()
        self._mine = chance(CHANCE_BITS - _NUMBER_BITS) << _NUMBER_BITS
        self._lock = threading.Lock()
        measures.DROPPED.begin()
        for kind in Kind:
            measures.IGNORED.begin(kind.value)

    def add(self, station_pk: int, direction: str, text: str, *, action: str = "") -> Noted:
        """Note one frame."""
        number = next(self._numbers) & ((1 << _NUMBER_BITS) - 1)
        at_us = time.time_ns() // 1000
        noted = Noted(station_pk, direction, action, text, at_us, self._mine | number)
        self._waiting.append(noted)
        self._chars_added += len(noted.text)
        if (
            len(self._waiting) > MAX_WAITING
            or self._chars_added - self._chars_taken > MAX_WAITING_CHARS
        ):
            self._drop_oldest()
        return noted

    def _drop_oldest(self) -> None:
        with self._lock:
            while self._waiting and (
                len(self._waiting) > MAX_WAITING
                or self._chars_added - self._chars_taken > MAX_WAITING_CHARS
            ):
                oldest = self._waiting.popleft()
                self._chars_taken += len(oldest.text)
                self.dropped += 1
                self._ignored[oldest.station_pk, Kind.UNKEPT] += 1
                measures.DROPPED.add()

    def ignore(self, station_pk: int, kind: IgnoredFrames.Kind) -> None:
        """Count one frame of a station that was ignored, or that broke its schema."""
        measures.IGNORED.add(kind.value)
        with self._lock:
            self._ignored[station_pk, kind] += 1

    @property
    def waiting(self) -> int:
        """How many frames wait to be written."""
        return len(self._waiting)

    def write(self) -> int:
        """Write what waits, in batches; return how many rows were written.

        While the database is away its error is raised and everything goes on waiting.
        """
        written = 0
        while batch := self._take():
            try:
                written += frame_rows.store(batch)
            except (OperationalError, InterfaceError):
                self._put_back(batch)
                raise
        self._write_ignored()
        return written

    def _write_ignored(self) -> None:
        """Add what was counted since the last time; it waits while the database is away."""
        with self._lock:
            counted, self._ignored = self._ignored, Counter()
        for (station_pk, kind), count in sorted(counted.items()):
            try:
                _count(station_pk, kind, count)
            except (OperationalError, InterfaceError):
                with self._lock:
                    self._ignored.update(counted)
                raise
            del counted[station_pk, kind]

    def _take(self) -> list[Noted]:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._chars_taken += sum(len(noted.text) for noted in batch)
        return batch

    def _put_back(self, batch: list[Noted]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(batch))
            self._chars_taken -= sum(len(noted.text) for noted in batch)


def _count(station_pk: int, kind: IgnoredFrames.Kind, count: int) -> None:
    """Add to the count of a station; one that is gone has none.

    A window begins with the first frame after the last one has lasted its time.
    """
    rows = IgnoredFrames.objects.filter(station_id=station_pk, kind=kind)
    now = timezone.now()
    begins = Q(window_at__lte=now - dt.timedelta(seconds=settings.CSMS_SCHEMA_WINDOW_S))
    more: dict[str, Any] = {
        "count": F("count") + count,
        "last_at": now,
        "window_count": Case(When(begins, then=count), default=F("window_count") + count),
        "window_at": Case(When(begins, then=Value(now)), default=F("window_at")),
    }
    new = {"count": count, "window_count": count, "last_at": now, "window_at": now}
    try:
        with transaction.atomic():
            if not rows.update(**more):
                IgnoredFrames.objects.create(station_id=station_pk, kind=kind, **new)
    except IntegrityError:
        if not rows.update(**more):
            logger.warning("ignored frames of station %s are not counted", station_pk)
