"""Partitions of the tables that grow by the message, on PostgreSQL (docs/scaling.md).

The worker makes them ahead and drops those that are past their time: a drop costs the same however
many rows go. What has no partition of its own lies in the default partition. On SQLite there is
one table, and nothing to do.
"""

import datetime as dt
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Model
from psycopg.errors import DeadlockDetected, LockNotAvailable

from sessions_app.models import Reading
from stations.models import Frame

logger = logging.getLogger(__name__)

AHEAD = 2
MOVED_AT_MOST = 100_000
"""Rows of a new period that are moved out of the default partition while others wait: a second.
Where there are more the period stays there, which only costs speed."""
LOCK_WAIT_MS = 300
"""Who waits for a lock on a table makes all later ones wait: the next run tries again. Three such
waits are shorter than PostgreSQL's deadlock_timeout, so that it is never a station's transaction
that is broken off."""
WORKERS_LOCK = 0x6B75626174  # "kubat": one worker at a time

_BOUND = re.compile(r"^FOR VALUES FROM \((.+)\) TO \((.+)\)$")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One partition: from `begin` until before `end`; None is without a bound.

    Both are None of the default partition. The one without `begin` holds what was there before
    the table was partitioned.
    """

    name: str
    begin: dt.datetime | None
    end: dt.datetime | None

    @property
    def is_default(self) -> bool:
        return self.begin is None and self.end is None

    def overlaps(self, begin: dt.datetime, end: dt.datetime) -> bool:
        is_before = self.end is not None and self.end <= begin
        is_after = self.begin is not None and self.begin >= end
        return not (self.is_default or is_before or is_after)


@dataclass(frozen=True, slots=True)
class Partitioned:
    """A table that is partitioned by its column `at`, a partition a month or a day of UTC.

    `retention` is the setting that says for how many days rows are kept; without it for ever.
    """

    model: type[Model]
    is_monthly: bool = False
    retention: str = ""

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def kept_for(self) -> dt.timedelta | None:
        return dt.timedelta(days=getattr(settings, self.retention)) if self.retention else None

    def name_of(self, begin: dt.datetime) -> str:
        return f"{self.table}_{begin:%Y%m}" if self.is_monthly else f"{self.table}_{begin:%Y%m%d}"

    def periods(self, now: dt.datetime) -> Iterator[tuple[dt.datetime, dt.datetime]]:
        """This period and those ahead, each from its begin until its end."""
        begin = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        begin = begin.replace(day=1) if self.is_monthly else begin
        for _ in range(1 + AHEAD):
            end = begin + dt.timedelta(days=1)
            if self.is_monthly:
                end = (begin + dt.timedelta(days=31)).replace(day=1)
            yield begin, end
            begin = end


READINGS = Partitioned(Reading, is_monthly=True)
"""What a bill rests on: never dropped."""
FRAMES = Partitioned(Frame, retention="CSMS_FRAME_RETENTION_DAYS")
TABLES = (READINGS, FRAMES)


def run_due(now: dt.datetime) -> int:
    """Make the partitions that are wanted and drop those past their time; return how many."""
    if connection.vendor != "postgresql":
        return 0
    return sum(make_ahead(table, now) + drop_past(table, now) for table in TABLES)


def make_ahead(table: Partitioned, now: dt.datetime) -> int:
    """Make the partitions of this period and the next two that are missing; return how many."""
    periods = table.periods(now)
    return sum(_attempt(partial(_make, table, *period), table) for period in periods)


def drop_past(table: Partitioned, now: dt.datetime) -> int:
    """Drop the partitions of which every row is past its time; return how many."""
    if table.kept_for is None:
        return 0
    past = now - table.kept_for
    return sum(
        _attempt(partial(_drop, table, leaf), table)
        for leaf in leaves(table)
        if leaf.end is not None and leaf.end <= past
    )


def delete_past(table: Partitioned, before: dt.datetime, portion: int) -> int:
    """Delete the oldest rows that lie in no period of their own; return how many went."""
    if table.kept_for is None:
        return 0
    return sum(_delete(leaf, before, portion) for leaf in leaves(table) if leaf.begin is None)


def leaves(table: Partitioned) -> list[Leaf]:
    """The partitions of a table as PostgreSQL has them, also those that someone else made."""
    rows = _run(
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i "
        "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass ORDER BY 1",
        table.table,
    )
    return [_leaf(name, bound) for name, bound in rows]


def _leaf(name: str, bound: str) -> Leaf:
    found = _BOUND.match(bound)
    begin, end = (_moment(text) for text in found.groups()) if found else (None, None)
    return Leaf(name, begin, end)


def _moment(text: str) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text.strip("'")) if text.startswith("'") else None


def _attempt(change: Callable[[], bool], table: Partitioned) -> bool:
    """Make one change in a transaction of its own, unless another worker is at it."""
    try:
        with transaction.atomic():
            if not _run("SELECT pg_try_advisory_xact_lock(%s)", WORKERS_LOCK)[0][0]:
                return False
            _run(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
            return change()
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
            raise
        logger.info("the partitions of %s wait for a lock: %s", table.table, error)
        return False


def _make(table: Partitioned, begin: dt.datetime, end: dt.datetime) -> bool:
    """Make a partition, with the rows of its period that lie in the default one.

    It is made apart and attached: made in place it would lock the whole table. What attaching
    locks is locked before anything is done, so that no one waits for longer than for a lock.
    """
    there = leaves(table)
    if any(leaf.overlaps(begin, end) for leaf in there):
        return False
    defaults = [leaf.name for leaf in there if leaf.is_default]
    if defaults:
        _run(f"LOCK TABLE {', '.join(_referenced(table))} IN SHARE ROW EXCLUSIVE MODE")
        _run(f"LOCK TABLE {', '.join(defaults)} IN ACCESS EXCLUSIVE MODE")
    if any(_count(name, begin, end) > MOVED_AT_MOST for name in defaults):
        logger.warning("%s keeps the rows from %s on: they are too many", defaults[0], begin)
        return False
    name = table.name_of(begin)
    _run(f"CREATE TABLE {name} (LIKE {table.table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    for default in defaults:
        _run(
            f"WITH rows AS (DELETE FROM {default} WHERE at >= %s AND at < %s RETURNING *) "
            f"INSERT INTO {name} SELECT * FROM rows",
            begin,
            end,
        )
    bounds = "FOR VALUES FROM (%s) TO (%s)"
    _run(f"ALTER TABLE {table.table} ATTACH PARTITION {name} {bounds}", begin, end)
    return True


def _referenced(table: Partitioned) -> list[str]:
    """The tables that the rows refer to."""
    rows = _run(
        "SELECT DISTINCT confrelid::regclass::text FROM pg_constraint "
        "WHERE conrelid = %s::regclass AND contype = 'f' ORDER BY 1",
        table.table,
    )
    return [name for (name,) in rows]


def _count(name: str, begin: dt.datetime, end: dt.datetime) -> int:
    """How many rows of a period lie there, up to one more than may be moved."""
    found = f"SELECT FROM {name} WHERE at >= %s AND at < %s LIMIT {MOVED_AT_MOST + 1}"
    return int(_run(f"SELECT count(*) FROM ({found}) AS found", begin, end)[0][0])


def _drop(table: Partitioned, leaf: Leaf) -> bool:
    if leaf not in leaves(table):
        return False
    _run(f"LOCK TABLE {table.table} IN ACCESS EXCLUSIVE MODE")
    _run(f"DROP TABLE {leaf.name}")
    return True


def _delete(leaf: Leaf, before: dt.datetime, portion: int) -> int:
    past = f"SELECT id FROM {leaf.name} WHERE at < %s ORDER BY at LIMIT {portion}"
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {leaf.name} WHERE id IN ({past})", [before])
        return int(cursor.rowcount)


def _run(sql: str, *values: str | int | dt.datetime) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall() if cursor.description else []
