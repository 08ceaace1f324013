"""The latest reading of each running session, through the cache: power and state of charge too.

The process that stores a reading publishes it after the commit. `publish` only notes the latest of
each session; a thread writes what was noted, many at once, so that Redis never delays a reply.

The row stays the truth. State, energy and cost of a session are read from its row, which a list
reads anyway. An entry is believed only for a session that runs by its row, and only while the row
has heard of nothing more than BEHIND later: that is the fence. What an older process writes late,
or keeps in a memory that is its own (no REDIS_URL), is recognised by it and passed over. What the
cache does not tell is read from the readings.
"""

import datetime as dt
import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from django.core.cache import caches
from django.db.models import OuterRef, Subquery
from redis.exceptions import RedisError

from billing.energy import Wh
from billing.money import Minor

from .models import ChargingSession, Reading
from .models.session import RUNNING

logger = logging.getLogger(__name__)

T = TypeVar("T")

ALIAS = "live"
FLUSH_EVERY_S = 0.3
AWAY_S = 5.0
"""How long a cache that did not answer is left alone."""
KEEP_S = 900
"""Longer than a station is silent between two readings; after that the rows tell."""
BEHIND = dt.timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a session is: energy and running cost by its row, the rest as its station told.

    `power_w` and `soc` (percent) are None where not told. `at` is our clock when it came.
    """

    session_id: uuid.UUID
    energy_wh: Wh
    cost_minor: Minor
    power_w: Decimal | None
    soc: Decimal | None
    at: dt.datetime


def publish(entries: Sequence[Progress]) -> None:
    """Let all processes see these within FLUSH_EVERY_S; call it after the commit.

    It neither waits nor fails. Of several of one session the last one counts.
    """
    _publisher.note(entries)


def flush() -> None:
    """Write what is noted now; the thread does this by itself."""
    _publisher.flush()


def latest(sessions: Iterable[ChargingSession]) -> dict[uuid.UUID, Progress]:
    """The latest reading of each of these sessions that runs, by its id."""
    running = {session.pk: session for session in sessions if session.status in RUNNING}
    if not running:
        return {}
    told = {pk: entry for pk, entry in _told(running).items() if _is_current(entry, running[pk])}
    return told | _stored(running.keys() - told.keys())


def _told(session_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Progress]:
    """What the cache tells of them."""
    ids = {f"reading:{pk}": pk for pk in session_ids}
    return {ids[key]: Progress(ids[key], *told) for key, told in _board.read(ids).items()}


def _is_current(entry: Progress, session: ChargingSession) -> bool:
    heard_at = session.last_reading_at
    return heard_at is None or entry.at >= heard_at - BEHIND


def _stored(session_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Progress]:
    """What the rows tell of them: the latest reading by the station's clock."""
    if not session_ids:
        return {}
    # The bound lets PostgreSQL pass over the partitions of earlier months.
    readings = Reading.objects.filter(
        session=OuterRef("pk"), at__gte=OuterRef("meter_start_at")
    ).order_by("-at")
    told = {name: Subquery(readings.values(name)[:1]) for name in ("power_w", "soc", "received_at")}
    sessions = ChargingSession.objects.filter(pk__in=session_ids).order_by().annotate(**told)
    rows = sessions.values_list("pk", "energy_wh", "cost_minor", *told)
    return {row[0]: Progress(*row) for row in rows if row[-1] is not None}


class Board:
    """The cache, left alone for a while when it does not answer; it never fails."""

    def __init__(self) -> None:
        self._away_until = 0.0

    def read(self, keys: Iterable[str]) -> dict[str, Any]:
        return self._ask(lambda: caches[ALIAS].get_many(keys)) or {}

    def write(self, told: dict[str, Any]) -> None:
        self._ask(lambda: caches[ALIAS].set_many(told, KEEP_S))

    def _ask(self, question: Callable[[], T]) -> T | None:
        if time.monotonic() < self._away_until:
            return None
        try:
            return question()
        except (RedisError, OSError) as error:
            self._away_until = time.monotonic() + AWAY_S
            logger.warning("The rows tell of running sessions while the cache is away: %s", error)
            return None


class Publisher:
    """What is to be told, the latest of each session, and the thread that tells it."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._noted: dict[uuid.UUID, Progress] = {}
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, entries: Iterable[Progress]) -> None:
        with self._lock:
            self._noted.update((entry.session_id, entry) for entry in entries)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live", daemon=True)
                self._thread.start()
        self._bell.set()

    def flush(self) -> None:
        with self._lock:
            noted, self._noted = self._noted, {}
        if noted:
            self._board.write({f"reading:{pk}": _told_of(entry) for pk, entry in noted.items()})

    def _run(self) -> None:
        while self._bell.wait():
            self._bell.clear()
            self.flush()
            time.sleep(FLUSH_EVERY_S)


def _told_of(entry: Progress) -> tuple[Any, ...]:
    """Plain values: processes of two versions may run side by side."""
    return (entry.energy_wh, entry.cost_minor, entry.power_w, entry.soc, entry.at)


_board = Board()
_publisher = Publisher(_board)
