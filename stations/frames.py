"""The diary of OCPP messages: masked, kept in memory for a moment, written in batches.

A reply never waits for it. It is bounded: when the database cannot keep up, the oldest lines are
dropped and counted.
"""

import json
import logging
import re
import threading
import uuid
from collections import Counter, deque
from typing import Any

from django.db import DataError, IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from .models import Frame, IgnoredFrames

logger = logging.getLogger(__name__)

MASK = "***"
SECRET_KEYS = frozenset({"authorizationkey"})
"""Configuration keys whose value is a password (OCPP 1.6 security whitepaper, 2.1)."""

MAX_WAITING = 10_000
MAX_WAITING_CHARS = 64 * 1024 * 1024
BATCH = 500

MAX_KEPT_CHARS = 100_000
"""Of a longer text the beginning and the end are kept: its id, its action and what ends it."""
KEPT_END_CHARS = 10_000

_SECRET_NAME = re.compile("authorizationkey|password|passwd|secret", re.IGNORECASE)
"""Names of configuration keys whose value is nobody's to read, makers' own keys among them."""
_HINT = re.compile(_SECRET_NAME.pattern + r"|\\u00[2-7]", re.IGNORECASE)
"""What shows that a text may hold a secret: its name, or letters that are escaped for no reason."""
_USER_IN_ADDRESS = re.compile(r"(:(?:\\?/){2})[^\s\"]*@")
_QUERY_IN_ADDRESS = re.compile(r"(:(?:\\?/){2}[^\s\"?#]*\?)[^\s\"#]+")
_TOKEN_IN_ADDRESS = re.compile(r"(?<=/)(?:\d+\.)?[A-Za-z0-9_=-]{20,}(?=[/\"\\\s?#]|$)")
"""A long word, or a number and a long word: an address of ours (`addresses`) has the latter."""
_ADDRESS = re.compile(r"\w:(?:\\?/){2}[^\s\"]+")
_MESSAGE_ID = re.compile(r'\s*\[\s*[234]\s*,\s*"([^"\\]{1,36})"')

Kind = IgnoredFrames.Kind


class FrameLog:
    """Frames that wait to be written. Any thread may add; one writer calls `write`."""

    def __init__(self) -> None:
        self.dropped = 0
        self._ignored: Counter[tuple[int, IgnoredFrames.Kind]] = Counter()
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
            message_id=message_id_of(text),
            text=_cut(mask_text(_storable(text))),
            at=timezone.now(),
        )
        with self._lock:
            self._waiting.append(frame)
            self._chars += len(frame.text)
            while len(self._waiting) > MAX_WAITING or self._chars > MAX_WAITING_CHARS:
                oldest = self._waiting.popleft()
                self._chars -= len(oldest.text)
                self.dropped += 1
                self._ignored[oldest.station_id, Kind.UNKEPT] += 1
        return frame.pk

    def ignore(self, station_pk: int, kind: IgnoredFrames.Kind) -> None:
        """Count one frame of a station that was ignored."""
        with self._lock:
            self._ignored[station_pk, kind] += 1

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

    def _take(self) -> list[Frame]:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._chars -= sum(len(frame.text) for frame in batch)
        return batch

    def _put_back(self, batch: list[Frame]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(batch))
            self._chars += sum(len(frame.text) for frame in batch)


def message_id_of(text: str) -> str:
    """The OCPP-J id in the text of a frame; empty where there is none that can be read."""
    found = _MESSAGE_ID.match(text, 0, 100)
    return _storable(found[1]) if found else ""


def mask_text(text: str) -> str:
    """Hide the secrets in the text of a message: keys, passwords, tokens of addresses."""
    if _HINT.search(text):
        try:
            return json.dumps(mask(json.loads(text)), separators=(",", ":"))
        except (ValueError, RecursionError):
            return "(not kept: it names a secret and cannot be read)"
    return mask_addresses(text)


def mask(value: Any) -> Any:
    """Return the JSON value with its secrets hidden."""
    if isinstance(value, list):
        return [mask(item) for item in value]
    if isinstance(value, str):
        return _mask_string(value)
    if not isinstance(value, dict):
        return value
    hidden = {key: mask(item) for key, item in value.items()}
    if _SECRET_NAME.search(str(value.get("key", ""))) and value.get("value"):
        hidden["value"] = MASK
    return hidden | {key: MASK for key in value if _SECRET_NAME.search(key) and value[key]}


def mask_addresses(text: str) -> str:
    """Hide who logs in, queries and tokens in the addresses of a text (GetDiagnostics, GetLog)."""
    if ":/" not in text and ":\\/" not in text:
        return text
    return _ADDRESS.sub(lambda found: _mask_address(found[0]), text)


def _mask_address(address: str) -> str:
    address = _USER_IN_ADDRESS.sub(rf"\1{MASK}@", address)
    address = _QUERY_IN_ADDRESS.sub(rf"\1{MASK}", address)
    return _TOKEN_IN_ADDRESS.sub(MASK, address)


def _mask_string(text: str) -> str:
    """A string that tells of a secret may tell it: JSON in a DataTransfer does. Names may stay."""
    if _SECRET_NAME.search(text) and not text.isidentifier():
        return MASK
    return mask_addresses(text)


def _cut(text: str) -> str:
    if len(text) <= MAX_KEPT_CHARS:
        return text
    beginning, end = text[: MAX_KEPT_CHARS - KEPT_END_CHARS], text[-KEPT_END_CHARS:]
    return f"{beginning} (… cut: {len(text)} characters …) {end}"


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


def _count(station_pk: int, kind: IgnoredFrames.Kind, count: int) -> None:
    """Add to the count of a station; one that is gone has none."""
    rows = IgnoredFrames.objects.filter(station_id=station_pk, kind=kind)
    try:
        with transaction.atomic():
            if not rows.update(count=F("count") + count, last_at=timezone.now()):
                IgnoredFrames.objects.create(station_id=station_pk, kind=kind, count=count)
    except IntegrityError:
        if not rows.update(count=F("count") + count, last_at=timezone.now()):
            logger.warning("ignored frames of station %s are not counted", station_pk)
