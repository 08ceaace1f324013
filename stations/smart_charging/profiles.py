"""What a charging profile is (OCPP 1.6 §7.8–7.14). Limits are exact, times aware."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Purpose(StrEnum):
    STATION_MAX = "ChargePointMaxProfile"
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"


class Kind(StrEnum):
    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"


class Recurrence(StrEnum):
    DAILY = "Daily"
    WEEKLY = "Weekly"

    @property
    def length_s(self) -> int:
        return 86_400 if self is Recurrence.DAILY else 604_800


class Unit(StrEnum):
    AMPERE = "A"
    WATT = "W"


@dataclass(frozen=True, slots=True)
class Period:
    """A limit from `start_s` seconds after the schedule's start until the next period.

    In ampere it is a limit per phase, in watt the sum of all phases. Without `phases` a station
    assumes three (§7.14).
    """

    start_s: int
    limit: Decimal
    phases: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Limits over time. Without `duration_s` the last one holds until the profile ends."""

    unit: Unit
    periods: tuple[Period, ...]
    start_at: dt.datetime | None = None
    duration_s: int | None = None
    min_rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ChargingProfile:
    """One schedule with its purpose and rank: the highest `stack_level` prevails (§3.13.3)."""

    id: int
    purpose: Purpose
    kind: Kind
    schedule: Schedule
    stack_level: int = 0
    recurrence: Recurrence | None = None
    valid_from: dt.datetime | None = None
    valid_to: dt.datetime | None = None
    transaction_id: int | None = None
