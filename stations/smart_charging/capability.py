"""What a station can do of Smart Charging, by the keys that it reported (OCPP 1.6 §9.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from .profiles import Unit

UNITS = {"current": Unit.AMPERE, "power": Unit.WATT}


@dataclass(frozen=True, slots=True)
class Capability:
    """None is what the station has not told: then it is not held against a profile."""

    is_supported: bool | None
    units: frozenset[Unit] | None
    max_stack_level: int | None
    max_periods: int | None
    max_profiles: int | None

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> Self:
        """Read `Station.configuration`. A value that makes no sense counts as not told."""
        profiles = _words(configuration, "SupportedFeatureProfiles")
        units = {UNITS[word] for word in _words(configuration, _RATE_UNITS) if word in UNITS}
        return cls(
            is_supported="smartcharging" in profiles if profiles else None,
            units=frozenset(units) or None,
            max_stack_level=_count(configuration, "ChargeProfileMaxStackLevel"),
            max_periods=_count(configuration, "ChargingScheduleMaxPeriods"),
            max_profiles=_count(configuration, "MaxChargingProfilesInstalled"),
        )


_RATE_UNITS = "ChargingScheduleAllowedChargingRateUnit"


def _words(configuration: Mapping[str, Any], key: str) -> set[str]:
    return {word.strip().casefold() for word in _value(configuration, key).split(",")} - {""}


def _count(configuration: Mapping[str, Any], key: str) -> int | None:
    text = _value(configuration, key).strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _value(configuration: Mapping[str, Any], key: str) -> str:
    return str(configuration.get(key, {}).get("value") or "")
