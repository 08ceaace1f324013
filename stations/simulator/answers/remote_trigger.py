"""Remote Trigger (OCPP 1.6 §5.17)."""

from typing import TYPE_CHECKING

from ..wire import Answer, Payload
from .reply import status

if TYPE_CHECKING:
    from ..station import SimulatedStation


def trigger(station: "SimulatedStation", payload: Payload) -> Answer:
    wanted, number = payload["requestedMessage"], payload.get("connectorId")
    if number is not None and number not in station.connectors:
        return status("Rejected")
    numbers = [number] if number else list(station.connectors)

    def tell() -> None:
        match wanted:
            case "BootNotification":
                station.announce("BootNotification", station.boot)
            case "Heartbeat":
                station.announce("Heartbeat", {})
            case "StatusNotification":
                for n in numbers:
                    station.announce_status(n)
            case "MeterValues":
                for n in numbers:
                    station.connectors[n].meter()
                    station.sample(station.connectors[n], "Trigger")

    is_known = wanted in {"BootNotification", "Heartbeat", "StatusNotification", "MeterValues"}
    return status("Accepted", tell) if is_known else status("NotImplemented")
