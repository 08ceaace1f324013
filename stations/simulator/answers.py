"""How a simulated station answers the calls of the central system (OCPP 1.6 §5)."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from .conversation import BOOT
from .errors import CallRefused
from .wire import Answer, Payload

if TYPE_CHECKING:
    from .station import SimulatedStation

Handler = Callable[["SimulatedStation", Payload], Answer]
VOLTS_OF_THREE_PHASES = 3 * 230


def answer(station: "SimulatedStation", action: str, payload: Payload) -> Answer | None:
    """Answer one call, or with None say nothing at all.

    Raises CallRefused, with the code that the CALLERROR gets.
    """
    station.heard.append(action)
    station.changed()
    if action in station.quirks.mute:
        station.report(f"{action} stays without an answer")
        return None
    if action in station.quirks.refused:
        station.report(f"{action} Rejected")
        return _status("Rejected")
    handler = HANDLERS.get(action)
    if handler is None:
        raise CallRefused("NotImplemented", f"a simulated station knows no {action}")
    try:
        reply = handler(station, payload)
    except (KeyError, TypeError, ArithmeticError) as error:
        raise CallRefused("FormationViolation", f"{action}: {error!r}") from error
    station.report(f"{action} {reply.payload.get('status', 'answered')}")
    return Answer(reply.payload) if action in station.quirks.ignored else reply


def _status(status: str, then: Callable[[], None] | None = None) -> Answer:
    return Answer({"status": status}, then)


def remote_start(station: "SimulatedStation", payload: Payload) -> Answer:
    wanted, id_tag = payload.get("connectorId"), payload["idTag"]
    connectors = [c for n, c in station.connectors.items() if wanted in (None, n) and c.is_free]
    if not connectors:
        return _status("Rejected")
    connector = connectors[0]
    profile = payload.get("chargingProfile")
    limit_w = _limit_w(profile) if profile else None

    def begin() -> None:
        connector.limit_w = limit_w
        station.obey_start(connector, id_tag)

    return _status("Accepted", begin)


def remote_stop(station: "SimulatedStation", payload: Payload) -> Answer:
    connector = station.connector_of(payload["transactionId"])
    if connector is None:
        return _status("Rejected")
    return _status("Accepted", lambda: station.end(connector, "Remote"))


def get_configuration(station: "SimulatedStation", payload: Payload) -> Answer:
    return Answer(station.configuration.read(payload.get("key", [])))


def change_configuration(station: "SimulatedStation", payload: Payload) -> Answer:
    key, value = payload["key"], payload["value"]
    if key == "AuthorizationKey":
        station.memory.key = value  # counts from the next handshake
        station.changed()
        return _status("Accepted")
    return _status(station.configuration.change(key, value))


def change_availability(station: "SimulatedStation", payload: Payload) -> Answer:
    """Change one connector, or all with 0; where a charge runs, after it."""
    number, is_operative = payload["connectorId"], payload["type"] == "Operative"
    connectors = [c for n, c in station.connectors.items() if number in (0, n)]
    if not connectors:
        return _status("Rejected")
    for connector in connectors:
        connector.is_operative = is_operative
    is_busy = any(connector.transaction for connector in connectors)

    def tell() -> None:
        for connector in connectors:
            if connector.transaction is None:
                station.set_status(connector, "Available" if is_operative else "Unavailable")

    return _status("Scheduled" if is_busy and not is_operative else "Accepted", tell)


def reset(station: "SimulatedStation", payload: Payload) -> Answer:
    kind = payload["type"]
    return _status("Accepted", lambda: station.reboot(f"{kind}Reset"))


def unlock(station: "SimulatedStation", payload: Payload) -> Answer:
    connector = station.connectors.get(payload["connectorId"])
    if connector is None:
        return _status("NotSupported")
    return _status("Unlocked", lambda: station.end(connector, "UnlockCommand"))


def trigger(station: "SimulatedStation", payload: Payload) -> Answer:
    wanted, number = payload["requestedMessage"], payload.get("connectorId")
    if number is not None and number not in station.connectors:
        return _status("Rejected")
    numbers = [number] if number else list(station.connectors)

    def tell() -> None:
        match wanted:
            case "BootNotification":
                station.announce("BootNotification", BOOT)
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
    return _status("Accepted", tell) if is_known else _status("NotImplemented")


def set_charging_profile(station: "SimulatedStation", payload: Payload) -> Answer:
    """Take a TxProfile for the charge that runs; its first period is its limit."""
    profile = payload["csChargingProfiles"]
    connector = station.connectors.get(payload["connectorId"])
    if connector is None or connector.transaction is None:
        return _status("Rejected")
    if profile["chargingProfilePurpose"] != "TxProfile":
        return _status("Rejected")
    connector.limit_w = _limit_w(profile)
    return _status("Accepted")


def clear_charging_profile(station: "SimulatedStation", payload: Payload) -> Answer:
    limited = [c for c in station.connectors.values() if c.limit_w is not None]
    for connector in limited:
        connector.limit_w = None
    return _status("Accepted" if limited else "Unknown")


def _limit_w(profile: Payload) -> Decimal:
    schedule = profile["chargingSchedule"]
    limit = Decimal(str(schedule["chargingSchedulePeriod"][0]["limit"]))
    return limit if schedule["chargingRateUnit"] == "W" else limit * VOLTS_OF_THREE_PHASES


HANDLERS: dict[str, Handler] = {
    "CancelReservation": lambda station, payload: _status("Rejected"),
    "ChangeAvailability": change_availability,
    "ChangeConfiguration": change_configuration,
    "ClearCache": lambda station, payload: _status("Accepted"),
    "ClearChargingProfile": clear_charging_profile,
    "DataTransfer": lambda station, payload: _status("UnknownVendorId"),
    "GetCompositeSchedule": lambda station, payload: _status("Rejected"),
    "GetConfiguration": get_configuration,
    "GetLocalListVersion": lambda station, payload: Answer({"listVersion": -1}),
    "RemoteStartTransaction": remote_start,
    "RemoteStopTransaction": remote_stop,
    "ReserveNow": lambda station, payload: _status("Rejected"),
    "Reset": reset,
    "SendLocalList": lambda station, payload: _status("NotSupported"),
    "SetChargingProfile": set_charging_profile,
    "TriggerMessage": trigger,
    "UnlockConnector": unlock,
}
