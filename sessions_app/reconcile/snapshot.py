"""One consistent view of the database for a long read that holds up no writer."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def snapshot() -> Iterator[None]:
    """Read everything inside as it was at one moment. Must not be nested in a transaction."""
    if connection.vendor == "sqlite":
        with _deferred(connection), transaction.atomic(durable=True):
            yield
        return
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


@contextmanager
def _deferred(sqlite: BaseDatabaseWrapper) -> Iterator[None]:
    """Begin without the write lock: all other transactions begin IMMEDIATE (settings)."""
    sqlite.ensure_connection()
    mode = sqlite.transaction_mode  # type: ignore[attr-defined]
    sqlite.transaction_mode = "DEFERRED"  # type: ignore[attr-defined]
    try:
        yield
    finally:
        sqlite.transaction_mode = mode  # type: ignore[attr-defined]
