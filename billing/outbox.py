"""Deliver what has to leave this system, at least once and by any number of workers.

A message is claimed by a lease: it is put off into the future, so a worker that dies with it
only delays it. What a topic means is the caller's: `handlers` maps each to its delivery.
"""

import datetime as dt
import logging
from collections.abc import Callable, Mapping

from django.db import connection, transaction
from django.utils import timezone

from .models import OutboxMessage

logger = logging.getLogger(__name__)

Handler = Callable[[OutboxMessage], None]
"""Delivers one message, within LEASE; it raises when it could not."""

LEASE = dt.timedelta(seconds=60)
FIRST_PAUSE = dt.timedelta(seconds=5)
LONGEST_PAUSE = dt.timedelta(hours=1)
MAX_ATTEMPTS = 15
"""With the pauses above, a message is given up after some six hours."""

Status = OutboxMessage.Status


def deliver_due(handlers: Mapping[str, Handler], *, limit: int = 100) -> int:
    """Deliver what is due, oldest first, at most `limit`; return how many were tried."""
    for tried in range(limit):
        message = _claim()
        if message is None:
            return tried
        _deliver(message, handlers)
    return limit


def _claim() -> OutboxMessage | None:
    """Take the next due message on lease; None when there is none that is free."""
    now = timezone.now()
    due = OutboxMessage.objects.filter(status=Status.QUEUED, due_at__lte=now).order_by("due_at")
    if not due.exists():
        return None  # the usual case, for which SQLite need not lock anyone out
    with transaction.atomic():
        # SQLite has one writer at a time and so needs no lock on the row.
        can_skip = connection.features.has_select_for_update_skip_locked
        message = due.select_for_update(skip_locked=can_skip).first()
        if message:
            message.attempts += 1
            message.due_at = now + LEASE
            message.save(update_fields=["attempts", "due_at"])
        return message


def _deliver(message: OutboxMessage, handlers: Mapping[str, Handler]) -> None:
    """Hand the message over and record how it went."""
    handler = handlers.get(message.topic)
    if handler is None:
        # Perhaps a newer worker knows it, while this one is being replaced.
        _put_off(message, f"no handler for {message.topic}")
        return
    try:
        handler(message)
    except Exception as error:  # noqa: BLE001 - an edge loop: one bad message must not hold up all
        logger.warning("outbox: %s %s: %r", message.topic, message.pk, error)
        _put_off(message, repr(error))
        return
    OutboxMessage.objects.filter(pk=message.pk, status=Status.QUEUED).update(
        status=Status.DELIVERED, delivered_at=timezone.now(), last_error=""
    )


def _put_off(message: OutboxMessage, error: str) -> None:
    """Try again later, ever more seldom; after the last attempt it is `failed`.

    A worker that has overrun its lease changes nothing: the message has gone to another.
    """
    is_last = message.attempts >= MAX_ATTEMPTS
    OutboxMessage.objects.filter(
        pk=message.pk, status=Status.QUEUED, attempts=message.attempts
    ).update(
        status=Status.FAILED if is_last else Status.QUEUED,
        due_at=timezone.now() + pause_after(message.attempts),
        last_error=error,
    )


def pause_after(attempts: int) -> dt.timedelta:
    """How long to wait after this many attempts: 5 s, 10 s, 20 s, …, at most an hour."""
    return min(FIRST_PAUSE * (1 << (attempts - 1)), LONGEST_PAUSE)
