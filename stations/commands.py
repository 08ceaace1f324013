"""Commands to stations: send, claim, resolve. Rows with a state; a bell tells the socket's owner.

A station has one outstanding call. `next_queued` picks it by lane, then by age. Nothing here
knows what a command is for: `reference` is opaque, and who resolves a command acts on it.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Required, TypedDict, Unpack

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, Q
from django.utils import timezone

from billing import tracing
from billing.models import User

from . import doorbell
from .models import Command, Station

Lane, Status = Command.Lane, Command.Status
INVALID_RESPONSE = "invalid_response"
"""The error of a command whose answer breaks its schema."""


class Call(TypedDict, total=False):
    """What is known of a call to a station when it is queued.

    `payload` is as on the wire. `expires_in_s` is how long it may wait to be sent (None: for
    ever, as RemoteStop does). `is_bound` ties it to the present socket: when that closes, the
    command fails.
    """

    station: Required[Station]
    action: Required[str]
    payload: Required[dict[str, Any]]
    lane: Required[Command.Lane]
    reference: str
    timeout_s: int | None
    expires_in_s: int | None
    is_bound: bool
    requested_by: User | None
    reason: str


def send(**call: Unpack[Call]) -> Command:
    """Queue one call, and ring the owner of the socket after the commit."""
    with tracing.span(f"queue {call['action']}", kind="producer") as step:
        command = prepare(**call)
        command.save(force_insert=True)
        step.set(command_id=str(command.pk), station_id=command.station.station_id)
    doorbell.ring_on_commit(command.station)
    return command


def send_all(prepared: Iterable[Command]) -> None:
    """Queue what was prepared, and ring for all of it after the commit."""
    queued = Command.objects.bulk_create(prepared)
    if queued:
        pks = [command.station_id for command in queued]
        transaction.on_commit(lambda: doorbell.ring_all(pks))


def prepare(**call: Unpack[Call]) -> Command:
    """Make the row of one call, unsaved."""
    now = timezone.now()
    expires_in_s = call.get("expires_in_s")
    return Command(
        station=call["station"],
        action=call["action"],
        payload=call["payload"],
        lane=call["lane"],
        reference=call.get("reference", ""),
        timeout_s=call.get("timeout_s") or settings.CSMS_CALL_TIMEOUT_S,
        fence=call["station"].fence if call.get("is_bound") else None,
        requested_by=call.get("requested_by"),
        reason=call.get("reason", ""),
        created_at=now,
        deadline_at=now + dt.timedelta(seconds=expires_in_s) if expires_in_s else None,
        trace_parent=tracing.traceparent(),
    )


def next_queued(
    station_pk: int, fence: int, *, up_to: Command.Lane = Command.Lane.OWN
) -> Command | None:
    """Return what a socket with this fence may send next; None when there is nothing.

    Lanes after `up_to` wait. It takes no lock: `hold_lane` and `mark_sent` say whether it may go.
    """
    return (
        Command.objects.filter(station_id=station_pk, status=Status.QUEUED, lane__lte=up_to)
        .filter(Q(deadline_at__isnull=True) | Q(deadline_at__gt=timezone.now()))
        .filter(Q(fence__isnull=True) | Q(fence=fence))
        .order_by("lane", "created_at", "id")
        .first()
    )


def hold_lane(station_pk: int, fence: int) -> bool:
    """Lock the station for this transaction; False when a newer socket has taken over (P7)."""
    live = Station.objects.select_for_update(no_key=True).filter(pk=station_pk, fence=fence)
    return bool(live.order_by().values_list("pk"))


def mark_sent(command: Command, fence: int) -> bool:
    """Record that a queued command goes out over the socket with this fence.

    False when it has ended since it was read, or another is outstanding: then it must not go out.
    The caller holds the lane.
    """
    outstanding = Command.objects.filter(station_id=command.station_id, status=Status.SENT)
    queued = Command.objects.filter(~Exists(outstanding), pk=command.pk, status=Status.QUEUED)
    sent_at = timezone.now()
    if not queued.update(status=Status.SENT, sent_at=sent_at, fence=fence):
        return False
    command.status, command.sent_at, command.fence = Status.SENT, sent_at, fence
    return True


def resolve(
    command: Command,
    status: Command.Status,
    *,
    response: dict[str, Any] | None = None,
    error: dict[str, str] | None = None,
) -> bool:
    """End a command if it is open; False when it had ended already.

    It rings no bell: the lane that waited for it looks for the next one by itself.
    """
    end = {"status": status, "response": response, "error": error, "resolved_at": timezone.now()}
    if not Command.objects.filter(pk=command.pk, status__in=Command.OPEN).update(**end):
        return False
    for name, value in end.items():
        setattr(command, name, value)
    return True


def withdraw(reference: str, *, action: str = "", but: str = "") -> int:
    """Take back the commands of a reference that have not been sent; return how many.

    With an `action`, only those calls; never those of the action that `but` names.
    """
    queued = Command.objects.filter(reference=reference, status=Status.QUEUED)
    queued = queued.exclude(action=but) if but else queued
    if action:
        queued = queued.filter(action=action)
    return queued.update(
        status=Status.EXPIRED,
        error=describe("withdrawn", "It was no longer wanted."),
        resolved_at=timezone.now(),
    )


def cut_off(station_pk: int, fence: int) -> list[uuid.UUID]:
    """Return the open commands that sockets older than `fence` leave behind.

    Those that were sent there, or are bound there, will not be answered any more.
    """
    return list(
        Command.objects.filter(
            station_id=station_pk, status__in=Command.OPEN, fence__lt=fence
        ).values_list("pk", flat=True)
    )


def left_behind(fences: Mapping[int, int]) -> set[int]:
    """Return the stations of which `cut_off`, with these fences, has something to return."""
    bound = Command.objects.filter(
        station_id__in=fences, status__in=Command.OPEN, fence__isnull=False
    )
    rows = bound.values_list("station_id", "fence").order_by()
    return {pk for pk, fence in rows if fence is not None and fence < fences[pk]}


def open_at(process_id: uuid.UUID) -> list[uuid.UUID]:
    """Return the open commands that the sockets of a process, present and past, leave behind."""
    return list(
        Command.objects.filter(
            station__owner_id=process_id, status__in=Command.OPEN, fence__lte=F("station__fence")
        ).values_list("pk", flat=True)
    )


def overdue(now: dt.datetime, *, grace_s: int = 5) -> list[tuple[uuid.UUID, Command.Status]]:
    """Return the commands whose time is over, each with the status that it must get.

    The socket's own process ends its calls in time; this is for processes that died.
    """
    grace = dt.timedelta(seconds=grace_s)
    expired = Command.objects.filter(status=Status.QUEUED, deadline_at__lte=now)
    silent = [
        command
        for command in Command.objects.filter(status=Status.SENT)
        if command.sent_at and command.sent_at + command.timeout + grace <= now
    ]
    return [(pk, Status.EXPIRED) for pk in expired.values_list("pk", flat=True)] + [
        (command.pk, Status.TIMED_OUT) for command in silent
    ]


def describe(code: str, description: str) -> dict[str, str]:
    """The shape of a command's `error`."""
    return {"code": code, "description": description}


def error_code(command: Command) -> str:
    """The code of a command's `error`, empty when it has none."""
    return str((command.error or {}).get("code", ""))


def waiting_at(process_id: uuid.UUID) -> list[int]:
    """Return the stations of a process for which something is queued: a bell may be lost."""
    queued = Command.objects.filter(status=Status.QUEUED, station__owner_id=process_id)
    return list(queued.values_list("station_id", flat=True).distinct().order_by())
