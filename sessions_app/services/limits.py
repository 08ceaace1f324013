"""When a session must stop, and when it must be looked at next."""

import datetime as dt
from decimal import Decimal

from django.conf import settings
from django.db.models import Max

from billing.energy import Wh
from billing.money import Minor

from ..bounds import Bounds
from ..models import ChargingSession
from .bill import price_session

LimitType = ChargingSession.LimitType
SILENT_AFTER_S = 180
LEAST_POWER_W = 1_000
"""A lower peak may be kW without a unit, or the moment before the car began: not to project by."""
LOOK_EVERY = dt.timedelta(seconds=10)


def bounds_of(session: ChargingSession) -> Bounds:
    """What ends a session; a limit without a value is none."""
    hold = Minor(session.hold_minor)
    if session.limit_value is None:
        return Bounds(hold)
    match session.limit_type:
        case LimitType.ENERGY:
            return Bounds(hold, energy_wh=Wh(session.energy_limit_wh or 0))
        case LimitType.TIME:
            return Bounds(hold, ends_at=time_limit_at(session))
        case LimitType.SOC:
            return Bounds(hold, soc=session.limit_value)
    return Bounds(hold)


def warning_of(session: ChargingSession) -> Bounds | None:
    """What is reached when most of the limit is used; None once its driver was told."""
    percent: int = settings.CSMS_NEARLY_USED_PERCENT
    if session.warned_at is not None:
        return None
    bounds = bounds_of(session)
    ends_at, started_at = bounds.ends_at, session.started_at
    return Bounds(
        Minor(bounds.hold_minor * percent // 100),
        energy_wh=None if bounds.energy_wh is None else Wh(bounds.energy_wh * percent // 100),
        ends_at=started_at + (ends_at - started_at) * percent / 100
        if ends_at and started_at
        else None,
    )


def is_reached(
    session: ChargingSession, *, energy_wh: Wh, total: Minor, soc: Decimal | None, now: dt.datetime
) -> bool:
    """Whether what was delivered reaches the limit or the hold."""
    return bounds_of(session).are_reached(energy_wh=energy_wh, total=total, soc=soc, now=now)


def may_reach_limit(session: ChargingSession, at: dt.datetime) -> bool:
    """Whether the limit may be reached by `at`, at full power since the last reading."""
    energy_wh = projected_wh(session, at)
    total = price_session(session, energy_wh=energy_wh, until=at).bill.total
    return is_reached(session, energy_wh=energy_wh, total=total, soc=None, now=at)


def time_limit_at(session: ChargingSession) -> dt.datetime | None:
    """When the time that was bought is over."""
    if session.limit_type != LimitType.TIME or not session.limit_value or not session.started_at:
        return None
    return session.started_at + dt.timedelta(minutes=int(session.limit_value))


def is_silent(session: ChargingSession, now: dt.datetime) -> bool:
    """Whether a charging session has gone too long without a reading (design section 5)."""
    return now >= _silent_at(session, now)


def next_look(session: ChargingSession, now: dt.datetime) -> dt.datetime:
    """When the worker must look at a charging session, unless a reading comes first."""
    end = time_limit_at(session)
    look = now + LOOK_EVERY if is_silent(session, now) else _silent_at(session, now)
    return min(end, look) if end and end > now else look


def silent_after(session: ChargingSession) -> dt.timedelta:
    """How long a charging session may go without a reading."""
    return dt.timedelta(seconds=max(3 * session.station.meter_interval_s, SILENT_AFTER_S))


def _silent_at(session: ChargingSession, now: dt.datetime) -> dt.datetime:
    since = session.last_reading_at or session.started_at or now
    return since + silent_after(session)


def projected_wh(session: ChargingSession, now: dt.datetime) -> Wh:
    """The energy by now of a session that has gone silent, at the most power it can take."""
    since = session.last_reading_at or session.started_at or now
    gap_h = max(0.0, (now - since).total_seconds()) / 3600
    return Wh(session.energy_wh + int(_power_w(session) * gap_h))


def _power_w(session: ChargingSession) -> int:
    """The stated power of the station, else the highest seen, else the assumed one."""
    if session.station.max_power_kw:
        return int(session.station.max_power_kw * 1000)
    seen = session.readings_since_start().aggregate(peak=Max("power_w"))["peak"]
    is_told = seen is not None and seen >= LEAST_POWER_W
    return int(seen) if is_told else int(settings.CSMS_ASSUMED_POWER_KW * 1000)
