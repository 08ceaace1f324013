"""Core (OCPP 1.6 §5)."""

from typing import TYPE_CHECKING

from ..profiles import RUNNING, Profile
from ..wire import Answer, Payload
from .reply import status

if TYPE_CHECKING:
    from ..station import SimulatedStation


def remote_start(station: "SimulatedStation", payload: Payload) -> Answer:
    wanted, id_tag = payload.get("connectorId"), payload["idTag"]
    connectors = [
        connector
        for number, connector in station.connectors.items()
        if wanted in (None, number) and connector.is_free and connector.admits(id_tag)
    ]
    if not connectors:
        return status("Rejected")
    connector = connectors[0]
    profile = payload.get("chargingProfile")
    if profile and profile["chargingProfilePurpose"] != RUNNING:
        return status("Rejected")

    def begin() -> None:
        if profile:
            station.profiles.add(Profile(connector.connector_id, profile))
        station.obey_start(connector, id_tag)

    return status("Accepted", begin)


def remote_stop(station: "SimulatedStation", payload: Payload) -> Answer:
    connector = station.connector_of(payload["transactionId"])
    if connector is None:
        return status("Rejected")
    return status("Accepted", lambda: station.end(connector, "Remote"))


def get_configuration(station: "SimulatedStation", payload: Payload) -> Answer:
    return Answer(station.configuration.read(payload.get("key", [])))


def change_configuration(station: "SimulatedStation", payload: Payload) -> Answer:
    key, value = payload["key"], payload["value"]
    if key == "AuthorizationKey":
        station.memory.key = value  # counts from the next handshake
        station.changed()
        return status("Accepted")
    return status(station.configuration.change(key, value))


def change_availability(station: "SimulatedStation", payload: Payload) -> Answer:
    """Change one connector, or all with 0; where a charge runs, after it."""
    number, is_operative = payload["connectorId"], payload["type"] == "Operative"
    connectors = [c for n, c in station.connectors.items() if number in (0, n)]
    if not connectors:
        return status("Rejected")
    for connector in connectors:
        connector.is_operative = is_operative
    station.changed()
    is_busy = any(connector.transaction for connector in connectors)

    def tell() -> None:
        for connector in connectors:
            if connector.transaction is None:
                station.set_status(connector, connector.idle_status)

    return status("Scheduled" if is_busy and not is_operative else "Accepted", tell)


def reset(station: "SimulatedStation", payload: Payload) -> Answer:
    kind = payload["type"]
    return status("Accepted", lambda: station.reboot(f"{kind}Reset"))


def unlock(station: "SimulatedStation", payload: Payload) -> Answer:
    connector = station.connectors.get(payload["connectorId"])
    if connector is None:
        return status("NotSupported")
    return status("Unlocked", lambda: station.end(connector, "UnlockCommand"))
