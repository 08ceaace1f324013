"""Smart Charging (OCPP 1.6 §5.5, §5.7, §5.16)."""

from typing import TYPE_CHECKING

from .. import charging
from ..clock import stamp
from ..profiles import PHASES, RUNNING, VOLTS, Profile
from ..wire import Answer, Payload
from .reply import status

if TYPE_CHECKING:
    from ..station import SimulatedStation


def set_charging_profile(station: "SimulatedStation", payload: Payload) -> Answer:
    profile = Profile(payload["connectorId"], payload["csChargingProfiles"])
    is_for_us = profile.connector_id in (0, *station.connectors)
    if not is_for_us or (profile.purpose == RUNNING and not _is_of_charge(station, profile)):
        return status("Rejected")
    is_taken = station.profiles.add(profile)
    _obey(station)
    return status("Accepted" if is_taken else "Rejected")


def clear_charging_profile(station: "SimulatedStation", payload: Payload) -> Answer:
    is_known = station.profiles.clear(payload)
    _obey(station)
    return status("Accepted" if is_known else "Unknown")


def get_composite_schedule(station: "SimulatedStation", payload: Payload) -> Answer:
    """In A each limit is that of three phases."""
    number, unit = payload["connectorId"], payload.get("chargingRateUnit", "W")
    if number not in (0, *station.connectors):
        return status("Rejected")
    connector = station.connectors.get(number)
    begins_at, periods = station.profiles.compose(
        number,
        connector.transaction if connector else None,
        duration_s=payload["duration"],
        most_w=station.setup.power_w,
    )
    divisor = 1 if unit == "W" else VOLTS * PHASES
    schedule = {
        "duration": payload["duration"],
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [
            {"startPeriod": start_s, "limit": round(float(limit_w / divisor), 1)}
            for start_s, limit_w in periods
        ],
    }
    answer = {"status": "Accepted", "connectorId": number, "scheduleStart": stamp(begins_at)}
    return Answer({**answer, "chargingSchedule": schedule})


def _is_of_charge(station: "SimulatedStation", profile: Profile) -> bool:
    connector = station.connectors.get(profile.connector_id)
    transaction = connector.transaction if connector else None
    if transaction is None:
        return False
    return profile.payload.get("transactionId") in (None, transaction.transaction_id)


def _obey(station: "SimulatedStation") -> None:
    for connector in station.connectors.values():
        charging.meter(station, connector)
