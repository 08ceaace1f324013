"""Rows of the diary of OCPP messages: what a frame that was noted is written as, and writing many.

PostgreSQL takes them by COPY, SQLite by one statement: an object a row costs ten times as much.
"""

import datetime as dt
import functools
import logging
import re
import uuid

from django.db import DataError, IntegrityError, connection, transaction

from .identifiers import hex_at
from .masking import mask_text
from .models import Frame

logger = logging.getLogger(__name__)

MAX_KEPT_CHARS = 100_000
"""Of a longer text the beginning and the end are kept: its id, its action and what ends it."""
KEPT_END_CHARS = 10_000

_MESSAGE_ID = re.compile(r'\s*\[\s*[234]\s*,\s*"([^"\\]{1,36})"')

_PLAIN_BEGINNINGS = ('[2,"', '[3,"', '[4,"')
_COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"})

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

_Row = tuple[str, int, str, str, str, str, str]
"""Id, station, direction, action, message id, text, and the moment in UTC."""
_COLUMNS = ("id", "station_id", "direction", "action", "message_id", "text", "at")


class Noted:
    """One frame that waits to be written. `at_us` is in µs since 1970.

    `rest` tells it from others of its microsecond: so its id is known before its row is made.
    """

    __slots__ = ("action", "at_us", "direction", "is_masked", "rest", "station_pk", "text")

    def __init__(
        self, station_pk: int, direction: str, action: str, text: str, at_us: int, rest: int
    ) -> None:
        self.station_pk = station_pk
        self.direction = direction
        self.action = action
        self.text = text
        self.at_us = at_us
        self.rest = rest
        self.is_masked = False
        if len(text) > MAX_KEPT_CHARS:  # what is huge is not held in memory
            self.text, self.is_masked = _cut(mask_text(_storable(text))), True

    @property
    def id(self) -> uuid.UUID:
        """The id of its row."""
        return uuid.UUID(hex_at(self.at_us, self.rest))

    @property
    def at(self) -> dt.datetime:
        return _EPOCH + dt.timedelta(microseconds=self.at_us)


def message_id_of(text: str) -> str:
    """The OCPP-J id in the text of a frame; empty where there is none that can be read."""
    if text.startswith(_PLAIN_BEGINNINGS):
        end = text.find('"', 4, 41)
        if end > 4 and "\\" not in (message_id := text[4:end]):
            return _storable(message_id)
    found = _MESSAGE_ID.match(text, 0, 100)
    return _storable(found[1]) if found else ""


def store(batch: list[Noted]) -> int:
    """Write frames; return how many could be kept.

    Where that fails, each half is written by itself, so that a bad row costs itself only.
    """
    try:
        with transaction.atomic():
            _insert(batch)
        return len(batch)
    except (IntegrityError, DataError):
        if len(batch) == 1:
            logger.warning("a frame of station %s is not kept", batch[0].station_pk)
            return 0
        middle = len(batch) // 2
        return store(batch[:middle]) + store(batch[middle:])


def _insert(batch: list[Noted]) -> None:
    """Add rows without Django's objects: PostgreSQL's COPY, and one statement on SQLite."""
    table, columns = Frame._meta.db_table, ", ".join(_COLUMNS)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with (
                connection.wrap_database_errors,
                cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
            ):
                copy.write("".join(map(_copy_line, batch)))
            return
        places = ", ".join(["%s"] * len(_COLUMNS))
        cursor.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({places})",
            list(map(_row, batch)),
        )


def _row(noted: Noted) -> _Row:
    second, fraction_us = divmod(noted.at_us, 1_000_000)
    return (
        hex_at(noted.at_us, noted.rest),
        noted.station_pk,
        noted.direction,
        _storable(noted.action)[:50],
        message_id_of(noted.text),
        noted.text if noted.is_masked else mask_text(_storable(noted.text)),
        f"{_second(second)}.{fraction_us:06d}",
    )


def _copy_line(noted: Noted) -> str:
    frame_id, station_pk, direction, action, message_id, text, at = _row(noted)
    return (
        f"{frame_id}\t{station_pk}\t{direction}\t{_escaped(action)}\t"
        f"{_escaped(message_id)}\t{_escaped(text)}\t{at}+00\n"
    )


def _escaped(text: str) -> str:
    """Text as COPY reads it (PostgreSQL, COPY, text format)."""
    if "\\" in text or "\n" in text or "\t" in text or "\r" in text:
        return text.translate(_COPY_ESCAPES)
    return text


@functools.lru_cache(maxsize=64)
def _second(second: int) -> str:
    return (_EPOCH + dt.timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S")


def _cut(text: str) -> str:
    if len(text) <= MAX_KEPT_CHARS:
        return text
    beginning, end = text[: MAX_KEPT_CHARS - KEPT_END_CHARS], text[-KEPT_END_CHARS:]
    return f"{beginning} (… cut: {len(text)} characters …) {end}"


def _storable(text: str) -> str:
    """PostgreSQL holds no U+0000, and no half of a surrogate pair."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
