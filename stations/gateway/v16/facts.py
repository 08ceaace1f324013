"""OCPP 1.6 payloads as facts. Pure: no database, no clock of its own.

Each takes what can be read of a payload, also of one that breaks its schema, and raises
Unreadable where what is left does not make the fact.
"""

import datetime as dt
import uuid
from typing import Any

from ocpp.exceptions import OCPPError, PropertyConstraintViolationError

from sessions_app.facts import Metered, Started, Stopped
from sessions_app.services.authorize import TagVerdict
from stations.clock import wire_time as wire_time
from stations.progress import Progress
from stations.reports import MAX_CONNECTOR_ID, Boot, Status
from stations.security_events import SecurityNotice

from . import meter
from .values import Payload, amount, integer, moment, text

MAX_TAG_LENGTH = 255
"""Longer than any tag: a tag that is too long for the schema is known to nobody, not cut to one
that somebody has."""

NO_REQUEST = -1
"""A number that cannot be read is nobody's: without any number, the last request is meant."""


def unreadable(field: str) -> OCPPError:
    """The CALLERROR for a field that the schema allows and that still means nothing."""
    return PropertyConstraintViolationError(f"{field} cannot be read.")


def boot(payload: Payload) -> Boot:
    """BootNotification (§6.3): the point's own serial number before that of its box."""
    return Boot(
        vendor=text(payload, "chargePointVendor"),
        model=text(payload, "chargePointModel"),
        serial_number=text(payload, "chargePointSerialNumber")
        or text(payload, "chargeBoxSerialNumber"),
        firmware_version=text(payload, "firmwareVersion"),
    )


def status(payload: Payload, received_at: dt.datetime) -> Status:
    """StatusNotification (§6.47)."""
    at = moment(payload.get("timestamp"))
    if payload.get("timestamp") is not None and at is None:
        raise unreadable("timestamp")
    return Status(
        connector_id=_connector_id(payload),
        status=text(payload, "status", length=16),
        received_at=received_at,
        at=at,
        error_code=text(payload, "errorCode"),
        info=text(payload, "info"),
        vendor_error_code=text(payload, "vendorErrorCode"),
    )


def started(payload: Payload, received_at: dt.datetime) -> Started:
    """StartTransaction (§6.45)."""
    meter_start = amount(payload.get("meterStart"))
    at = moment(payload.get("timestamp"))
    id_tag = payload.get("idTag")
    if meter_start is None:
        raise unreadable("meterStart")
    if at is None:
        raise unreadable("timestamp")
    if not isinstance(id_tag, str):
        raise unreadable("idTag")
    return Started(
        connector_id=_connector_id(payload),
        id_tag=id_tag[:MAX_TAG_LENGTH],
        meter_start_wh=meter_start,
        at=at,
        received_at=received_at,
        reservation_id=integer(payload, "reservationId"),
    )


def is_nothing_metered(payload: Payload) -> bool:
    """Whether a sound MeterValues has a connector and nothing that would be stored."""
    connector_id = payload["connectorId"]
    return 0 <= connector_id <= MAX_CONNECTOR_ID and meter.says_nothing(payload)


def metered(payload: Payload, received_at: dt.datetime, frame_id: uuid.UUID) -> Metered:
    """MeterValues (§6.31). Raises only when neither connector nor transaction can be told."""
    transaction_id = integer(payload, "transactionId")
    try:
        connector_id = _connector_id(payload)
    except OCPPError:
        if not transaction_id:
            raise
        connector_id = 0
    return Metered(
        connector_id=connector_id,
        transaction_id=transaction_id,
        samples=meter.read(payload, "meterValue"),
        received_at=received_at,
        frame_id=frame_id,
    )


def stopped(payload: Payload, received_at: dt.datetime) -> Stopped:
    """StopTransaction (§6.49). Never raises: what cannot be read is None."""
    return Stopped(
        transaction_id=integer(payload, "transactionId"),
        meter_stop_wh=amount(payload.get("meterStop")),
        at=moment(payload.get("timestamp")),
        received_at=received_at,
        id_tag=text(payload, "idTag", length=MAX_TAG_LENGTH),
        reason=text(payload, "reason", length=32),
        samples=meter.read(payload, "transactionData"),
    )


def id_tag_info(verdict: TagVerdict) -> dict[str, Any]:
    """IdTagInfo (§7.27) in python-ocpp's spelling."""
    info: dict[str, Any] = {"status": verdict.status}
    if verdict.parent_id_tag:
        info["parent_id_tag"] = verdict.parent_id_tag
    if verdict.expires_at:
        info["expiry_date"] = wire_time(verdict.expires_at)
    return info


def progress(payload: Payload, received_at: dt.datetime) -> Progress:
    """The four status notifications of firmware, diagnostics and logs (§6.17, §6.23)."""
    request_id = integer(payload, "requestId")
    if request_id is None and payload.get("requestId") is not None:
        request_id = NO_REQUEST
    return Progress(text(payload, "status", length=30), received_at, request_id)


def security_notice(payload: Payload, received_at: dt.datetime) -> SecurityNotice:
    """SecurityEventNotification (security whitepaper 5.14)."""
    return SecurityNotice(
        type=text(payload, "type", length=50),
        at=moment(payload.get("timestamp")),
        received_at=received_at,
        tech_info=text(payload, "techInfo"),
    )


def _connector_id(payload: Payload) -> int:
    connector_id = integer(payload, "connectorId")
    if connector_id is None or not 0 <= connector_id <= MAX_CONNECTOR_ID:
        raise unreadable("connectorId")
    return connector_id
