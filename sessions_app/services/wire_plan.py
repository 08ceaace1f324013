"""A plan for the limit at the station, as its Smart Charging has it: by its clock, in its units.

What the station is (`place_of`), what staff's profiles allow there (`ceilings`), and the profile on
the wire (`write`, OCPP 1.6 §7.8).
"""

import datetime as dt
from decimal import ROUND_CEILING, Decimal
from typing import Any

from stations.models import InstalledProfile, Station
from stations.smart_charging import (
    Capability,
    ChargingProfile,
    Installed,
    Kind,
    Purpose,
    Schedule,
    Unit,
    compose,
    read_profile,
    write_profile,
)
from stations.smart_charging import Period as WirePeriod
from stations.smart_charging.wire import TENTH

from .. import profile_plan
from ..models import ChargingSession
from ..profile_plan import Place, Plan

OWN_PROFILE_ID = 9000
"""The profiles of Kubat's own have this id and the connector's number; staff's count from 1."""
UNSTATED_W = 360_000
"""What a station may give that is not stated: more than any. Its plans are short at first."""
VOLTS, PHASES = 230, 3
LARGEST_AC_W = 43_500
LEAST_DC_VOLTS = 150


def place_of(session: ChargingSession) -> Place:
    station = session.station
    stated = station.max_power_kw
    full_w = int(stated * 1000) if stated else UNSTATED_W
    capability = Capability.of(station.configuration)
    is_in_watt = capability.units is None or Unit.WATT in capability.units
    return Place(
        full_w=full_w,
        interval_s=float(station.meter_interval_s),
        max_periods=capability.max_periods,
        may_cap=is_in_watt or full_w <= LARGEST_AC_W,
    )


def ceilings(session: ChargingSession, plan: Plan) -> tuple[tuple[int, int | None], ...]:
    """What staff's TxDefaultProfiles allow over a plan: a TxProfile would overrule them."""
    assert plan.starts_at is not None
    rows = InstalledProfile.objects.filter(
        station=session.station_id,
        connector_id__in=(0, session.connector_id or 0),
        purpose=Purpose.TX_DEFAULT.value,
        state__in=InstalledProfile.HELD,
    )
    held = [Installed(read_profile(row.profile), row.connector_id) for row in rows]
    if not held:
        return ()
    offset = dt.timedelta(seconds=session.station.clock_offset_s or 0)
    limits = compose(
        held,
        connector_id=session.connector_id or 0,
        start_at=plan.starts_at - offset,
        duration_s=plan.zero_s + 1,
        unit=Unit.WATT,
        charge_began_at=(session.started_at or plan.starts_at) - offset,
    )
    return tuple((one.start_s, None if one.limit is None else int(one.limit)) for one in limits)


def whole_second(station: Station, at: dt.datetime) -> dt.datetime:
    """The first whole second of the station's clock from a moment on, in ours."""
    offset = dt.timedelta(seconds=station.clock_offset_s or 0)
    theirs = at - offset
    whole = theirs.replace(microsecond=0)
    return (whole if whole == theirs else whole + dt.timedelta(seconds=1)) + offset


def write(session: ChargingSession, plan: Plan, transaction_id: int | None) -> dict[str, Any]:
    """A plan as the wire has it, in the unit that the station takes and by its clock."""
    station = session.station
    capability = Capability.of(station.configuration)
    is_in_watt = capability.units is None or Unit.WATT in capability.units
    offset = dt.timedelta(seconds=station.clock_offset_s or 0)
    periods = tuple(
        WirePeriod(start_s, Decimal(limit_w))
        if is_in_watt
        else _in_ampere(start_s, limit_w, plan.full_w)
        for start_s, limit_w in plan.periods
    )
    return write_profile(
        ChargingProfile(
            id=OWN_PROFILE_ID + (session.connector_id or 0),
            purpose=Purpose.TX,
            kind=Kind.ABSOLUTE if plan.starts_at else Kind.RELATIVE,
            stack_level=capability.max_stack_level or 0,
            schedule=Schedule(
                Unit.WATT if is_in_watt else Unit.AMPERE,
                periods,
                start_at=plan.starts_at - offset if plan.starts_at else None,
            ),
            transaction_id=transaction_id,
        )
    )


def _in_ampere(start_s: int, limit_w: int, full_w: int) -> WirePeriod:
    """A limit in ampere a phase (§7.12), rounded up: the bound has room for a tenth.

    What ampere are at a DC station nobody says; its plans only have its full power and zero, and
    the highest current that it can have slows nothing down.
    """
    phases = 1 if full_w <= profile_plan.SINGLE_PHASE_W else PHASES
    watt_per_ampere = VOLTS * phases if full_w <= LARGEST_AC_W else LEAST_DC_VOLTS
    ampere = (Decimal(limit_w) / watt_per_ampere).quantize(TENTH, rounding=ROUND_CEILING)
    return WirePeriod(start_s, ampere, phases if full_w <= LARGEST_AC_W else None)
