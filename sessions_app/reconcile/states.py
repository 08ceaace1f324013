"""Are states what the history says, is each number used once, and is nothing long overdue? (P6)"""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from stations import commands
from stations.models import Command

from ..models import ChargingSession, SessionStatus
from ..models.session import OPEN, TRANSITIONS
from ..services.expire import run_due
from .cases import Case
from .finding import Finding

GRACE = dt.timedelta(seconds=60)
"""The worker looks about once a second; what it left for this long it will not do by itself."""


def check_history(case: Case) -> Iterator[Finding]:
    """The moves lead by the table of transitions from `requested` to the present state."""
    status = SessionStatus.REQUESTED
    for before, after in case.moves:
        if before != status or after not in TRANSITIONS[status]:
            yield _broken_history(case, f"from {before} to {after}", expected=f"from {status}")
            return
        status = SessionStatus(after)
    if case.session.status != status:
        yield _broken_history(case, case.session.status, expected=status)


def check_numbers() -> Iterator[Finding]:
    """A transaction id is one session's; a connector has at most one open session."""
    numbered = ChargingSession.objects.filter(transaction_id__isnull=False)
    for (number,) in _repeated(numbered, "transaction_id"):
        yield Finding(
            "transaction_id_repeated",
            f"transaction {number}",
            "Several sessions have the same transaction id.",
        )
    placed = ChargingSession.objects.open().filter(connector_id__isnull=False)
    for station, connector_id in _repeated(placed, "station__station_id", "connector_id"):
        yield Finding(
            "connector_shared",
            f"station {station} connector {connector_id}",
            "Several sessions are open on one connector.",
        )


def check_due_sessions(now: dt.datetime) -> Iterator[Finding]:
    """No session waits for a worker that does not come, and none waits for nothing."""
    rows = ChargingSession.objects.filter(
        Q(due_at__lte=now - GRACE) | Q(due_at__isnull=True, status__in=OPEN)
    )
    for row in rows.order_by("pk"):
        yield Finding(
            "session_overdue" if row.due_at else "session_without_deadline",
            f"session {row.pk}",
            f"A session in {row.status} is not looked after.",
            expected="a worker at its deadline",
            found=f"due {row.due_at:%Y-%m-%d %H:%M:%S}" if row.due_at else "no deadline",
            fix=_catch_up if row.due_at else None,
        )


def check_due_commands(now: dt.datetime) -> Iterator[Finding]:
    """No command stands queued or sent past its deadline."""
    statuses = dict(commands.overdue(now - GRACE))
    for row in Command.objects.filter(pk__in=statuses).select_related("station").order_by("pk"):
        yield Finding(
            "command_overdue",
            f"command {row.pk} ({row.action} to {row.station})",
            "A command is past its deadline.",
            expected=str(statuses[row.pk]),
            found=row.status,
            fix=_catch_up,
        )


def _catch_up() -> None:
    """Do what is due, as the worker does."""
    run_due(timezone.now())


def _broken_history(case: Case, found: str, *, expected: str) -> Finding:
    text = "The state does not follow from the recorded moves."
    return Finding("history_wrong", case.subject, text, expected=expected, found=found)


def _repeated(rows: QuerySet[ChargingSession], *columns: str) -> list[tuple[Any, ...]]:
    """The values that more than one session has."""
    counted = rows.order_by().values_list(*columns).annotate(sessions=Count("pk"))
    return [values[:-1] for values in counted.filter(sessions__gt=1)]
