"""Reservation (OCPP 1.6 §5.13, §5.1)."""

import asyncio
import datetime as dt
import functools
from typing import TYPE_CHECKING

from ..connector import Connector, Reservation
from ..wire import Answer, Payload
from .reply import status

if TYPE_CHECKING:
    from ..station import SimulatedStation

REFUSALS = {"Faulted": "Faulted", "Unavailable": "Unavailable"}


def reserve(station: "SimulatedStation", payload: Payload) -> Answer:
    """Keep one connector for a tag; the same id replaces its reservation.

    Connector 0 is refused, as ReserveConnectorZeroSupported is not there.
    """
    connector = station.connectors.get(payload["connectorId"])
    reservation = Reservation(
        payload["reservationId"],
        payload["idTag"],
        dt.datetime.fromisoformat(payload["expiryDate"]),
        payload.get("parentIdTag", ""),
    )
    if connector is None:
        return status("Rejected")
    if not connector.is_operative:
        return status("Unavailable")
    held = connector.reservation
    is_own = held is not None and held.reservation_id == reservation.reservation_id
    if connector.status != "Available" and not is_own:
        return status(REFUSALS.get(connector.status, "Occupied"))
    connector.reservation = reservation

    def hold() -> None:
        station.set_status(connector, "Reserved")
        left_s = (reservation.expires_at - station.clock.now()).total_seconds()
        loop = asyncio.get_running_loop()
        loop.call_later(max(left_s, 0), _release, station, connector, reservation)

    return status("Accepted", hold)


def cancel(station: "SimulatedStation", payload: Payload) -> Answer:
    held_by = {c.reservation: c for c in station.connectors.values() if c.reservation}
    for reservation, connector in held_by.items():
        if reservation.reservation_id == payload["reservationId"]:
            release = functools.partial(_release, station, connector, reservation)
            return status("Accepted", release)
    return status("Rejected")


def _release(station: "SimulatedStation", connector: Connector, reservation: Reservation) -> None:
    """End a reservation, unless it was used or replaced; the timer of an old one finds neither."""
    if connector.reservation is reservation:
        connector.reservation = None
        station.set_status(connector, "Available")
