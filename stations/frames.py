"""The diary of OCPP messages: masked, kept in memory for a moment, written in batches.

A reply never waits for it. It is bounded: when the database cannot keep up, the oldest lines are
dropped and counted.
"""

import json
import logging
import re
import threading
import uuid
from collections import deque
from typing import Any

from django.db import DataError, IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from .models import Frame

logger = logging.getLogger(__name__)

MASK = "***"
SECRET_KEYS = frozenset({"authorizationkey"})
"""Configuration keys whose value is a password (OCPP 1.6 security whitepaper, 2.1)."""

MAX_WAITING = 10_000
MAX_WAITING_CHARS = 64 * 1024 * 1024
BATCH = 500

_HINT = re.compile("|".join(SECRET_KEYS), re.IGNORECASE)


class FrameLog:
    """Frames that wait to be written. Any thread may add; one writer calls `write`."""

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: deque[Frame] = deque()
        self._chars = 0
        self._lock = threading.Lock()

    def add(
        self, station_pk: int, direction: Frame.Direction, text: str, *, action: str = ""
    ) -> uuid.UUID:
        """Note one frame; return the id that its row will have."""
        frame = Frame(
            station_id=station_pk,
            direction=direction,
            action=_storable(action)[:50],
            text=mask_text(_storable(text)),
            at=timezone.now(),
        )
        with self._lock:
            self._waiting.append(frame)
            self._chars += len(frame.text)
            while len(self._waiting) > MAX_WAITING or self._chars > MAX_WAITING_CHARS:
                self._chars -= len(self._waiting.popleft().text)
                self.dropped += 1
        return frame.pk

    def write(self) -> int:
        """Write what waits, in batches; return how many rows were written.

        While the database is away its error is raised and everything goes on waiting.
        """
        written = 0
        while batch := self._take():
            try:
                written += _store(batch)
            except (OperationalError, InterfaceError):
                self._put_back(batch)
                raise
        return written

    def _take(self) -> list[Frame]:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._chars -= sum(len(frame.text) for frame in batch)
        return batch

    def _put_back(self, batch: list[Frame]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(batch))
            self._chars += sum(len(frame.text) for frame in batch)


def mask_text(text: str) -> str:
    """Hide the values of secret configuration keys in the text of a message."""
    if not _HINT.search(text):
        return text
    try:
        return json.dumps(mask(json.loads(text)), separators=(",", ":"))
    except (ValueError, RecursionError):
        return "(not kept: it names a secret and cannot be read)"


def mask(value: Any) -> Any:
    """Return the JSON value with the values of secret configuration keys hidden."""
    if isinstance(value, list):
        return [mask(item) for item in value]
    if not isinstance(value, dict):
        return value
    hidden = {key: mask(item) for key, item in value.items()}
    if str(value.get("key", "")).casefold() in SECRET_KEYS and value.get("value"):
        hidden["value"] = MASK
    return hidden


def _storable(text: str) -> str:
    """PostgreSQL holds no U+0000."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _store(batch: list[Frame]) -> int:
    """Write a batch; where it fails, row by row, so that one bad row costs itself only."""
    try:
        with transaction.atomic():
            Frame.objects.bulk_create(batch)
        return len(batch)
    except (IntegrityError, DataError):
        return sum(_store_one(frame) for frame in batch)


def _store_one(frame: Frame) -> int:
    try:
        with transaction.atomic():
            frame.save(force_insert=True)
    except (IntegrityError, DataError):
        logger.warning("frame %s of station %s is not kept", frame.pk, frame.station_id)
        return 0
    return 1
