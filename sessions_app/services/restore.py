"""After a restore: the database is older than what stations and drivers have seen since.

What was told between the backup and the crash is gone. Nothing is guessed: transaction ids move
on past all that may be in use, running sessions get their patience anew and are marked for a look,
and what the stations still tell of unknown transactions becomes orphans (docs/backup.md).
"""

import datetime as dt
import uuid
from dataclasses import dataclass

from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Max

from stations import alerts

from ..models import ChargingSession, SessionEvent, SessionStatus, TransactionNumber
from .expire import run_due
from .settle import RESTORED

EVERYTHING = 10**9
LAST_ID = 2**31 - 1
"""Transaction ids are positive int32 (OCPP-J)."""


class NoIdsLeft(Exception):
    """The sequence of transaction ids cannot move on so far."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done: the id from which new transactions count, and how many sessions run."""

    last_id: int
    running: int


def after_restore(now: dt.datetime, *, skip_ids: int) -> Restored:
    """Make a restored database safe to serve from; call it before the first `serve`.

    `skip_ids` must exceed the number of transactions that began since the backup. Repeating it
    moves the ids on again and does no harm. Raises NoIdsLeft.
    """
    last_id = _move_ids_on(skip_ids)
    running = ChargingSession.objects.running().filter(transaction_id__isnull=False)
    session_ids = list(running.values_list("pk", flat=True))
    for session_id in session_ids:
        _mark(session_id, now)
    # what was due long ago: starts that never began, commands to sockets that are gone
    run_due(now, limit=EVERYTHING)
    return Restored(last_id, len(session_ids))


@transaction.atomic
def _move_ids_on(skip_ids: int) -> int:
    """Use up the next `skip_ids` transaction ids: a station may still have one of them."""
    used = TransactionNumber.objects.aggregate(last=Max("id"))["last"] or 0
    last_id = used + skip_ids
    if last_id >= LAST_ID:
        raise NoIdsLeft(f"{used} + {skip_ids} is beyond the last transaction id, {LAST_ID}.")
    TransactionNumber.objects.create(pk=last_id)
    with connection.cursor() as cursor:  # PostgreSQL counts apart from the rows; SQLite does not
        for statement in connection.ops.sequence_reset_sql(no_style(), [TransactionNumber]):
            cursor.execute(statement)
    return last_id


def _mark(session_id: uuid.UUID, now: dt.datetime) -> None:
    """Count silence and patience of a running session from now, and tell staff of it.

    We could not hear it meanwhile: its silence proves nothing, and must not stop the charge.
    """
    with transaction.atomic():
        session = ChargingSession.objects.locked(session_id)
        if session.status == SessionStatus.STOPPING:
            session.stop_requested_at = now
        session.last_reading_at = session.due_at = now
        session.lost_at = None
        session.flags = sorted({*session.flags, RESTORED})
        session.version += 1
        session.save(
            update_fields=[
                "stop_requested_at",
                "last_reading_at",
                "due_at",
                "lost_at",
                "flags",
                "version",
            ]
        )
        session.note(SessionEvent.Kind.FLAGGED, actor="kubat", flag=RESTORED)
        alerts.open_alert(
            RESTORED,
            str(session.pk),
            f"Transaction {session.transaction_id} at {session.station} ran when the backup was "
            "made: see whether it still does.",
            station=session.station,
        )
