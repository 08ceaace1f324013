"""Smart Charging (OCPP 1.6 §3.13): profiles, their rules, what they add up to. No Django here."""

from .capability import Capability
from .composition import Installed, Limit, compose
from .profiles import ChargingProfile, Kind, Period, Purpose, Recurrence, Schedule, Unit
from .rules import faults
from .wire import limited, read_profile, read_schedule, tx_profile, write_profile

__all__ = [
    "Capability",
    "ChargingProfile",
    "Installed",
    "Kind",
    "Limit",
    "Period",
    "Purpose",
    "Recurrence",
    "Schedule",
    "Unit",
    "compose",
    "faults",
    "limited",
    "read_profile",
    "read_schedule",
    "tx_profile",
    "write_profile",
]
