"""Which frames of a station concern one session: said by the frames themselves, and exactly.

Nothing is noted when a frame comes: the hot path pays nothing for this. A session leaves traces
(its transaction, its tag, its readings, its commands), and `pick` follows them.
"""

import datetime as dt
import json
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from stations.models import Command, Frame

from .models import ChargingSession, Reading

ACTIONS = (
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "Authorize",
    "StartTransaction",
    "MeterValues",
    "StatusNotification",
    "StopTransaction",
    "SetChargingProfile",
    "ClearChargingProfile",
)
"""What a session's frames are about; a command of the session with another action is added."""
BEFORE, AFTER = dt.timedelta(minutes=1), dt.timedelta(minutes=1)
MAX_SCANNED = 50_000
"""Frames of the station that are looked at for one session: a week of two busy connectors."""

_TRANSACTION = re.compile(r'"transactionId"\s*:\s*(-?\d{1,10})\b')
_ANSWERS = (3, 4)
_OTHER_SIDE = {"in": "out", "out": "in"}


@dataclass(frozen=True, slots=True)
class Traces:
    """What a session left behind. `id_tag` is in lower case; times are the session's own.

    A tag is a trace only where it was made for this session: a card is shown at any connector.
    """

    connector_id: int | None
    transaction_id: int | None
    id_tag: str
    has_own_tag: bool
    meter_start_at: dt.datetime | None
    meter_start_wh: Decimal | None
    begun_at: dt.datetime
    ended_at: dt.datetime | None
    message_ids: frozenset[str]
    frame_ids: frozenset[uuid.UUID]


def frames_of(session: ChargingSession, *, limit: int) -> list[Frame]:
    """The first `limit` frames of a session in their order, from both directions."""
    picked = pick(_frames_around(session), traces_of(session))
    return [frame for frame, _ in zip(picked, range(limit), strict=False)]


def pick(frames: Iterable[Frame], traces: Traces) -> Iterator[Frame]:
    """Yield, of a station's frames in their order, those that concern a session.

    An answer goes with the last call of its id from the other side: stations use an id again.
    """
    is_asked: dict[tuple[str, str], bool] = {}
    for frame in frames:
        message = _read(frame.text)
        kind = message[0] if message else _kind_of(frame.text)
        if kind in _ANSWERS:
            concerns = is_asked.pop((_OTHER_SIDE[frame.direction], frame.message_id), False)
        else:
            concerns = is_concerned(frame, message, traces)
            is_asked[frame.direction, frame.message_id] = concerns
        if concerns:
            yield frame


def is_concerned(frame: Frame, message: list[Any] | None, traces: Traces) -> bool:
    """Whether a call concerns the session; `message` is its JSON, None where that is cut."""
    if frame.direction == Frame.Direction.OUT:
        return frame.message_id in traces.message_ids
    if frame.pk in traces.frame_ids:
        return True
    if message is None:
        return _names_transaction(frame.text, traces)
    payload = message[3] if len(message) > 3 and isinstance(message[3], dict) else {}
    match frame.action:
        case "MeterValues" | "StopTransaction":
            known = traces.transaction_id
            return known is not None and str(payload.get("transactionId")) == str(known)
        case "StartTransaction":
            return _is_its_start(payload, traces)
        case "Authorize":
            return traces.has_own_tag and _tag(payload) == traces.id_tag
        case "StatusNotification":
            return _is_its_status(frame, payload, traces)
    return False


def traces_of(session: ChargingSession) -> Traces:
    """Gather what a session left behind."""
    commands = Command.objects.filter(reference=session.reference)
    readings = Reading.objects.filter(session=session, frame_id__isnull=False)
    return Traces(
        connector_id=session.connector_id,
        transaction_id=session.transaction_id,
        id_tag=session.id_tag.casefold(),
        has_own_tag=session.origin == ChargingSession.Origin.REMOTE,
        meter_start_at=session.meter_start_at,
        meter_start_wh=session.meter_start_wh,
        begun_at=session.requested_at,
        ended_at=session.stop_received_at or session.ended_at,
        message_ids=frozenset(str(pk) for pk in commands.values_list("pk", flat=True)),
        frame_ids=frozenset(pk for pk in readings.values_list("frame_id", flat=True) if pk),
    )


def _frames_around(session: ChargingSession) -> Iterator[Frame]:
    """The station's frames of the session's time, by its index, a portion at a time."""
    asked = Command.objects.filter(reference=session.reference).values_list("action", flat=True)
    rows = Frame.objects.filter(
        station_id=session.station_id, action__in={*ACTIONS, *asked.distinct().order_by()}
    )
    return _within(rows, *window_of(session)).iterator(chunk_size=500)


def window_of(session: ChargingSession) -> tuple[dt.datetime, dt.datetime]:
    """When a session's frames can have come and gone: a replayed start came after it was made."""
    told = session.readings.order_by("received_at").values_list("received_at", flat=True)
    ends = [at for at in (session.stop_received_at, session.ended_at, told.last()) if at]
    begun = min([at for at in (session.requested_at, told.first()) if at])
    is_over = session.ended_at is not None
    return begun - BEFORE, (max(ends) if is_over and ends else timezone.now()) + AFTER


def _within(rows: QuerySet[Frame], begin: dt.datetime, end: dt.datetime) -> QuerySet[Frame]:
    return rows.filter(at__gte=begin, at__lte=end).order_by("at", "id")[:MAX_SCANNED]


def _read(text: str) -> list[Any] | None:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, list) and message else None


def _kind_of(text: str) -> int:
    """Which kind of message a text is that was cut."""
    digit = text.lstrip(" \t\r\n[")[:1]
    return int(digit) if digit in ("2", "3", "4") else 0


def _names_transaction(text: str, traces: Traces) -> bool:
    """A text that was cut names its transaction at its beginning or its end."""
    named = _TRANSACTION.findall(text)
    return traces.transaction_id is not None and str(traces.transaction_id) in named


def _is_its_start(payload: dict[str, Any], traces: Traces) -> bool:
    """The natural key of a start: connector, tag, time and meter (P3)."""
    return (
        payload.get("connectorId") == traces.connector_id
        and _tag(payload) == traces.id_tag
        and _moment(payload.get("timestamp")) == traces.meter_start_at
        and _number(payload.get("meterStart")) == traces.meter_start_wh
    )


def _is_its_status(frame: Frame, payload: dict[str, Any], traces: Traces) -> bool:
    """A connector has one session at a time, so a status in its time is about it."""
    is_here = payload.get("connectorId") == traces.connector_id
    is_over = traces.ended_at is not None and frame.at > traces.ended_at
    return (
        is_here and traces.connector_id is not None and frame.at >= traces.begun_at and not is_over
    )


def _tag(payload: dict[str, Any]) -> str:
    return str(payload.get("idTag", "")).casefold()


def _moment(value: Any) -> dt.datetime | None:
    try:
        at = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None
