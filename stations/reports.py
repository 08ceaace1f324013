"""What stations report of themselves: that they booted, and the state of their connectors."""

import datetime as dt
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from django.db import transaction

from . import bulk, clock, configuration
from .firmware import progress
from .models import Command, Connector, ConnectorStatus, Station

MAX_CONNECTOR_ID = 255
"""More sockets than any station has; a slip of a station must not make rows without end."""


CLOCK_TICK = dt.timedelta(seconds=1)
"""Stations that write whole seconds: within one of them the order of arrival counts."""
BOOT_FIELDS = (
    "vendor",
    "model",
    "serial_number",
    "firmware_version",
    "clock_offset_s",
    "booted_at",
)


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


class SaidBoot(NamedTuple):
    """A Boot, of which station, and when it came."""

    station_pk: int
    boot: Boot
    received_at: dt.datetime


class Booted(NamedTuple):
    """What came of a Boot. Without `has_queued` no call waits for the station."""

    registration: Station.Registration
    has_queued: bool = True


class SaidStatus(NamedTuple):
    station_pk: int
    status: Status


@transaction.atomic
def record_boot(*, station_pk: int, boot: Boot, received_at: dt.datetime) -> Station.Registration:
    """Store what a station is, and begin its set-up; return whether it is accepted.

    Its clock may have been reset with it, so what we knew of that is forgotten.
    """
    station = Station.objects.select_for_update(no_key=True).get(pk=station_pk)
    _store_boots({station_pk: station}, [SaidBoot(station_pk, boot, received_at)])
    return Station.Registration(station.registration)


@transaction.atomic
def record_boots(said: Sequence[SaidBoot]) -> list[Booted | None]:
    """Do as `record_boot` for many; None for who must be recorded alone.

    That is a station whose row someone has locked, and the second Boot of one station.
    """
    first = {boot.station_pk: boot for boot in reversed(said)}
    free = Station.objects.select_for_update(no_key=True, skip_locked=True)
    stations = {row.pk: row for row in free.filter(pk__in=first).order_by("pk")}
    _store_boots(stations, [first[pk] for pk in stations])
    queued = Command.objects.filter(station__in=stations, status=Command.Status.QUEUED)
    waiting = set(queued.values_list("station_id", flat=True).order_by())
    return [
        Booted(Station.Registration(stations[pk].registration), pk in waiting)
        if pk in stations and first[pk] is boot
        else None
        for pk, boot in ((boot.station_pk, boot) for boot in said)
    ]


def _store_boots(stations: Mapping[int, Station], said: Sequence[SaidBoot]) -> None:
    for station_pk, boot, received_at in said:
        _note_boot(stations[station_pk], boot, received_at)
    bulk.update_each(stations.values(), BOOT_FIELDS)
    accepted = [row for row in stations.values() if _is_accepted(row)]
    if accepted:
        configuration.begin(accepted)
        progress.note_versions(accepted, max(boot.received_at for boot in said))


def _note_boot(station: Station, boot: Boot, received_at: dt.datetime) -> None:
    station.vendor, station.model = boot.vendor[:50], boot.model[:50]
    station.serial_number = boot.serial_number[:50]
    station.firmware_version = boot.firmware_version[:60]
    station.clock_offset_s = None
    if _is_accepted(station):
        station.booted_at = received_at


def _is_accepted(station: Station) -> bool:
    return station.registration == Station.Registration.ACCEPTED


@transaction.atomic
def record_status(*, station: Station, status: Status) -> None:
    """Write a status down, and make it the connector's unless a later one is known.

    An undeclared connector is added. A status never ends a session: after an outage a station
    tells that a connector is free before it tells what was charged there.
    """
    locked = Station.objects.select_for_update(no_key=True).only("clock_offset_s")
    station.clock_offset_s = locked.get(pk=station.pk).clock_offset_s
    _store_statuses({station.pk: station}, [SaidStatus(station.pk, status)])


@transaction.atomic
def record_statuses(said: Sequence[SaidStatus]) -> list[bool]:
    """Do as `record_status` for many, in their order; False for who must be recorded alone.

    That is a station whose row someone has locked.
    """
    free = Station.objects.select_for_update(no_key=True, skip_locked=True)
    ours = free.filter(pk__in={one.station_pk for one in said}).order_by("pk")
    stations = {row.pk: row for row in ours.only("clock_offset_s")}
    _store_statuses(stations, [one for one in said if one.station_pk in stations])
    return [one.station_pk in stations for one in said]


def _store_statuses(stations: Mapping[int, Station], said: Sequence[SaidStatus]) -> None:
    ConnectorStatus.objects.bulk_create([_history(*one) for one in said])
    connectors = _connectors({(pk, one.connector_id) for pk, one in said if one.connector_id > 0})
    learnt, moved = set(), set()
    for station_pk, status in said:
        station = stations[station_pk]
        if status.at is not None and clock.learn(station, status.at, status.received_at):
            learnt.add(station_pk)
        connector = connectors.get((station_pk, status.connector_id))
        if connector is not None and _move(connector, status, station):
            moved.add(connector)
    bulk.update_each([stations[pk] for pk in learnt], ["clock_offset_s"])
    bulk.update_each(moved, ["status", "status_at", "error_code"])


def _history(station_pk: int, status: Status) -> ConnectorStatus:
    return ConnectorStatus(
        station_id=station_pk,
        connector_id=status.connector_id,
        status=status.status,
        error_code=status.error_code[:50],
        info=status.info[:50],
        vendor_error_code=status.vendor_error_code[:50],
        at=status.at or status.received_at,
        received_at=status.received_at,
    )


def _connectors(wanted: Set[tuple[int, int]]) -> dict[tuple[int, int], Connector]:
    """Lock connectors, those that are undeclared added, by station and number."""
    found = _locked(wanted)
    missing = wanted - found.keys()
    if missing:
        Connector.objects.bulk_create(
            [Connector(station_id=pk, connector_id=number) for pk, number in sorted(missing)],
            ignore_conflicts=True,  # staff may declare one at this moment
        )
        found |= _locked(missing)
    return found


def _locked(wanted: Set[tuple[int, int]]) -> dict[tuple[int, int], Connector]:
    if not wanted:
        return {}
    rows = Connector.objects.select_for_update(no_key=True).filter(
        station__in={pk for pk, _ in wanted}, connector_id__in={number for _, number in wanted}
    )
    keyed = {(row.station_id, row.connector_id): row for row in rows.order_by("pk")}
    return {key: row for key, row in keyed.items() if key in wanted}


def _move(connector: Connector, status: Status, station: Station) -> bool:
    """Make a status the connector's, unless a later one is known; True if it became that."""
    at = clock.to_ours(station, status.at or status.received_at, status.received_at)
    if connector.status_at is not None and at < connector.status_at - CLOCK_TICK:
        return False
    connector.status, connector.status_at = status.status, at
    connector.error_code = status.error_code[:50]
    return True
