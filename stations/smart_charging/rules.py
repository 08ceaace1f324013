"""What a profile must keep to before it is sent (OCPP 1.6 §3.13, §5.16, §9.4)."""

from collections.abc import Iterator
from itertools import pairwise

from .capability import Capability
from .profiles import ChargingProfile, Kind, Purpose, Schedule
from .wire import limited

PHASES = (1, 2, 3)


def faults(
    profile: ChargingProfile,
    connector_id: int,
    capability: Capability,
    *,
    running_transaction_id: int | None = None,
    installed_ids: frozenset[int] = frozenset(),
) -> list[str]:
    """Return all that is wrong with installing a profile at a connector; empty when nothing.

    `running_transaction_id` is the connector's, `installed_ids` are the profiles that the
    station is believed to have: one with the same id is replaced and takes no new place.
    """
    return [
        *_purpose_faults(profile, connector_id, running_transaction_id),
        *_time_faults(profile),
        *_schedule_faults(profile.schedule),
        *_capability_faults(profile, capability, installed_ids),
    ]


def _purpose_faults(
    profile: ChargingProfile, connector_id: int, running_transaction_id: int | None
) -> Iterator[str]:
    if connector_id < 0:
        yield "A connector is not negative."
    if profile.purpose is Purpose.STATION_MAX and connector_id != 0:
        yield "ChargePointMaxProfile is for connector 0 only."
    if profile.purpose is not Purpose.TX:
        if profile.transaction_id is not None:
            yield "Only a TxProfile names a transaction."
        return
    if connector_id == 0:
        yield "TxProfile is for one connector, not for connector 0."
    if running_transaction_id is None:
        yield "TxProfile needs a transaction that runs at the connector."
    elif profile.transaction_id not in (None, running_transaction_id):
        yield "Another transaction runs at the connector."


def _time_faults(profile: ChargingProfile) -> Iterator[str]:
    starts = profile.schedule.start_at is not None
    if profile.kind is Kind.RELATIVE and starts:
        yield "A Relative profile has no start of its own."
    if profile.kind is Kind.RELATIVE and profile.purpose is Purpose.STATION_MAX:
        yield "ChargePointMaxProfile has no charge that it could be Relative to."
    if profile.kind is not Kind.RELATIVE and not starts:
        yield f"A profile that is {profile.kind} needs the start of its schedule."
    if (profile.kind is Kind.RECURRING) != (profile.recurrence is not None):
        yield "A Recurring profile, and no other, says how often it recurs."
    if profile.valid_from and profile.valid_to and profile.valid_from >= profile.valid_to:
        yield "It must be valid from a time before the one that it is valid to."


def _schedule_faults(schedule: Schedule) -> Iterator[str]:
    starts = [period.start_s for period in schedule.periods]
    if not starts or starts[0] != 0:
        yield "The first period starts at 0."
    if any(earlier >= later for earlier, later in pairwise(starts)):
        yield "Each period starts after the one before it."
    if schedule.duration_s is not None and schedule.duration_s <= max([0, *starts]):
        yield "The schedule ends before its last period."
    rates = [period.limit for period in schedule.periods]
    if schedule.min_rate is not None:
        rates.append(schedule.min_rate)
    if any(not rate.is_finite() or rate < 0 or rate != limited(rate) for rate in rates):
        yield "A limit is not negative and has one decimal at most."
    if any(period.phases not in (None, *PHASES) for period in schedule.periods):
        yield "There are one to three phases."


def _capability_faults(
    profile: ChargingProfile, capability: Capability, installed_ids: frozenset[int]
) -> Iterator[str]:
    if capability.is_supported is False:
        yield "The station does not support Smart Charging."
    if profile.stack_level < 0:
        yield "A stack level is not negative."
    if _exceeds(profile.stack_level, capability.max_stack_level):
        yield f"The station's highest stack level is {capability.max_stack_level}."
    if _exceeds(len(profile.schedule.periods), capability.max_periods):
        yield f"The station takes {capability.max_periods} periods at most."
    if _exceeds(len(installed_ids | {profile.id}), capability.max_profiles):
        yield f"The station holds {capability.max_profiles} profiles at most."
    if capability.units is not None and profile.schedule.unit not in capability.units:
        yield f"The station takes no limits in {profile.schedule.unit}."


def _exceeds(value: int, most: int | None) -> bool:
    return most is not None and value > most
