"""Smart Charging (OCPP 1.6 §5.2, §5.16)."""

from decimal import Decimal
from typing import TYPE_CHECKING

from ..wire import Answer, Payload
from .reply import status

if TYPE_CHECKING:
    from ..station import SimulatedStation

VOLTS_OF_THREE_PHASES = 3 * 230


def set_charging_profile(station: "SimulatedStation", payload: Payload) -> Answer:
    """Take a TxProfile for the charge that runs; its first period is its limit."""
    profile = payload["csChargingProfiles"]
    connector = station.connectors.get(payload["connectorId"])
    if connector is None or connector.transaction is None:
        return status("Rejected")
    if profile["chargingProfilePurpose"] != "TxProfile":
        return status("Rejected")
    connector.limit_w = limit_w_of(profile)
    return status("Accepted")


def clear_charging_profile(station: "SimulatedStation", payload: Payload) -> Answer:
    limited = [c for c in station.connectors.values() if c.limit_w is not None]
    for connector in limited:
        connector.limit_w = None
    return status("Accepted" if limited else "Unknown")


def limit_w_of(profile: Payload) -> Decimal:
    schedule = profile["chargingSchedule"]
    limit = Decimal(str(schedule["chargingSchedulePeriod"][0]["limit"]))
    return limit if schedule["chargingRateUnit"] == "W" else limit * VOLTS_OF_THREE_PHASES
