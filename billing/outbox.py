"""Deliver what has to leave this system, at least once and by any number of workers.

A message is claimed by a lease: it is put off into the future, so a worker that dies with it
only delays it. What a topic means is the caller's: `handlers` maps each to its delivery.

Most messages go one after the other. Those to a target that may be slow are in a lane of that
target's own: lanes are served beside one another, so none waits for another's.
"""

import datetime as dt
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.db import close_old_connections, connection, transaction
from django.db.models import Min, QuerySet
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
MAX_ATTEMPTS_IN_LANE = 100
"""A target of someone else's may be away over a weekend: some four days."""
LANES_AT_ONCE = 4

Status = OutboxMessage.Status


class TryLater(Exception):
    """What a handler raises that knows when to try again."""

    def __init__(self, text: str, *, pause: dt.timedelta | None = None) -> None:
        super().__init__(text)
        self.pause = pause


class GivenUp(Exception):
    """What a handler raises when trying again is of no use: the message is `failed`."""


@dataclass(slots=True)
class Lanes:
    """Serves the lanes that have something due, each in a thread of its own.

    Of threads there are few, and a lane has one at most, so what a slow target holds up is itself.
    """

    handlers: Mapping[str, Handler]
    at_once: int = LANES_AT_ONCE
    _busy: dict[str, threading.Thread] = field(default_factory=dict)

    def run_due(self, now: dt.datetime) -> int:
        """Begin on lanes that wait, the longest first; return how many were begun."""
        self._busy = {lane: one for lane, one in self._busy.items() if one.is_alive()}
        free = self.at_once - len(self._busy)
        waiting = [lane for lane in due_lanes(now) if lane not in self._busy]
        for lane in waiting[:free]:
            thread = threading.Thread(target=self._serve, args=(lane,), name=lane, daemon=True)
            self._busy[lane] = thread
            thread.start()
        return len(waiting[:free])

    def join(self, timeout: float | None = None) -> None:
        """Wait until what was begun is done."""
        for thread in self._busy.values():
            thread.join(timeout)

    def _serve(self, lane: str) -> None:
        try:
            deliver_due(self.handlers, lane=lane)
        except Exception:  # an edge loop: the lane is served again at the next beat
            logger.exception("outbox: lane %s", lane)
        finally:
            close_old_connections()


def due_lanes(now: dt.datetime) -> list[str]:
    """Lanes in which something is due, the one that waits longest first."""
    due = _due(now).exclude(lane="").order_by().values("lane")
    return list(due.annotate(since=Min("due_at")).order_by("since").values_list("lane", flat=True))


def deliver_due(handlers: Mapping[str, Handler], *, lane: str = "", limit: int = 100) -> int:
    """Deliver what is due in a lane, oldest first, at most `limit`; return how many were tried."""
    for tried in range(limit):
        message = _claim(lane)
        if message is None:
            return tried
        _deliver(message, handlers)
    return limit


def _due(now: dt.datetime) -> QuerySet[OutboxMessage]:
    return OutboxMessage.objects.filter(status=Status.QUEUED, due_at__lte=now)


def _claim(lane: str) -> OutboxMessage | None:
    """Take the next due message on lease; None when there is none that is free."""
    now = timezone.now()
    due = _due(now).filter(lane=lane).order_by("due_at")
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
    except GivenUp as error:
        _put_off(message, str(error), is_last=True)
        return
    except TryLater as error:
        _put_off(message, str(error), pause=error.pause)
        return
    except Exception as error:  # noqa: BLE001 - an edge loop: one bad message must not hold up all
        logger.warning("outbox: %s %s: %r", message.topic, message.pk, error)
        _put_off(message, repr(error))
        return
    OutboxMessage.objects.filter(pk=message.pk, status=Status.QUEUED).update(
        status=Status.DELIVERED, delivered_at=timezone.now(), last_error=""
    )


def _put_off(
    message: OutboxMessage,
    error: str,
    *,
    pause: dt.timedelta | None = None,
    is_last: bool = False,
) -> None:
    """Try again later, ever more seldom; after the last attempt it is `failed`.

    A worker that has overrun its lease changes nothing: the message has gone to another.
    """
    most = MAX_ATTEMPTS_IN_LANE if message.lane else MAX_ATTEMPTS
    is_last = is_last or message.attempts >= most
    OutboxMessage.objects.filter(
        pk=message.pk, status=Status.QUEUED, attempts=message.attempts
    ).update(
        status=Status.FAILED if is_last else Status.QUEUED,
        due_at=timezone.now() + (pause or pause_after(message.attempts)),
        last_error=error,
    )


def pause_after(attempts: int) -> dt.timedelta:
    """How long to wait after this many attempts: 5 s, 10 s, 20 s, …, at most an hour."""
    return min(FIRST_PAUSE * (1 << min(attempts - 1, 20)), LONGEST_PAUSE)
