"""What stations report of themselves: that they booted, and the state of their connectors."""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from . import clock, configuration
from .firmware import progress
from .models import Connector, ConnectorStatus, Station

MAX_CONNECTOR_ID = 255
"""More sockets than any station has; a slip of a station must not make rows without end."""


CLOCK_TICK = dt.timedelta(seconds=1)
"""Stations that write whole seconds: within one of them the order of arrival counts."""


@dataclass(frozen=True, slots=True)
class Boot:
    """What a station says it is (OCPP 1.6 §6.3 BootNotification)."""

    vendor: str = ""
    model: str = ""
    serial_number: str = ""
    firmware_version: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a connector, or of the station when `connector_id` is 0 (OCPP 1.6 §6.47).

    `at` is the station's clock, None when it did not say.
    """

    connector_id: int
    status: str
    received_at: dt.datetime
    at: dt.datetime | None = None
    error_code: str = ""
    info: str = ""
    vendor_error_code: str = ""


@transaction.atomic
def record_boot(*, station_pk: int, boot: Boot, received_at: dt.datetime) -> Station.Registration:
    """Store what a station is, and begin its set-up; return whether it is accepted.

    Its clock may have been reset with it, so what we knew of that is forgotten.
    """
    station = Station.objects.select_for_update(no_key=True).get(pk=station_pk)
    station.vendor, station.model = boot.vendor[:50], boot.model[:50]
    station.serial_number = boot.serial_number[:50]
    station.firmware_version = boot.firmware_version[:60]
    station.clock_offset_s = None
    is_accepted = station.registration == Station.Registration.ACCEPTED
    if is_accepted:
        station.booted_at = received_at
    station.save(
        update_fields=[
            "vendor",
            "model",
            "serial_number",
            "firmware_version",
            "clock_offset_s",
            "booted_at",
        ]
    )
    if is_accepted:
        configuration.begin(station)
        progress.note_version(station, received_at)
    return Station.Registration(station.registration)


@transaction.atomic
def record_status(*, station: Station, status: Status) -> None:
    """Write a status down, and make it the connector's unless a later one is known.

    An undeclared connector is added. A status never ends a session: after an outage a station
    tells that a connector is free before it tells what was charged there.
    """
    at = status.at or status.received_at
    ConnectorStatus.objects.create(
        station=station,
        connector_id=status.connector_id,
        status=status.status,
        error_code=status.error_code[:50],
        info=status.info[:50],
        vendor_error_code=status.vendor_error_code[:50],
        at=at,
        received_at=status.received_at,
    )
    if status.at is not None:
        clock.observe(station, status.at, status.received_at)
    if status.connector_id > 0:
        _move_connector(station, status, clock.to_ours(station, at, status.received_at))


def _move_connector(station: Station, status: Status, at: dt.datetime) -> None:
    connector, _ = Connector.objects.select_for_update(no_key=True).get_or_create(
        station=station, connector_id=status.connector_id
    )
    if connector.status_at is None or at >= connector.status_at - CLOCK_TICK:
        connector.status, connector.status_at = status.status, at
        connector.error_code = status.error_code[:50]
        connector.save(update_fields=["status", "status_at", "error_code"])
