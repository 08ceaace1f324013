"""Remote Trigger (OCPP 1.6 §5.17)."""

from typing import TYPE_CHECKING

from .. import charging
from ..conversation import boot_of
from ..wire import Answer, Payload
from .reply import status

if TYPE_CHECKING:
    from ..station import SimulatedStation

REPORTS = frozenset(
    {
        "BootNotification",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "MeterValues",
        "StatusNotification",
    }
)


def trigger(station: "SimulatedStation", payload: Payload) -> Answer:
    wanted, number = payload["requestedMessage"], payload.get("connectorId")
    if wanted not in REPORTS:
        return status("NotImplemented")
    if number is not None and number not in station.connectors:
        return status("Rejected")
    numbers = [number] if number else list(station.connectors)
    return status("Accepted", lambda: _tell(station, wanted, numbers))


def _tell(station: "SimulatedStation", wanted: str, numbers: list[int]) -> None:
    match wanted:
        case "BootNotification":
            station.announce(wanted, boot_of(station))
        case "Heartbeat":
            station.announce(wanted, {})
        case "DiagnosticsStatusNotification":
            station.announce(wanted, {"status": _or_idle(station.maintenance.diagnostics_status)})
        case "FirmwareStatusNotification":
            station.announce(wanted, {"status": _or_idle(station.maintenance.firmware_status)})
        case "StatusNotification":
            for n in numbers:
                station.announce_status(n)
        case "MeterValues":
            for n in numbers:
                charging.meter(station, station.connectors[n])
                station.sample(station.connectors[n], "Trigger")


def _or_idle(status: str) -> str:
    """What is over is not told again (OCPP 1.6 §7.24, §7.25)."""
    return status if status in {"Downloading", "Downloaded", "Installing", "Uploading"} else "Idle"
