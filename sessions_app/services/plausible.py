"""Can what a station said at the end be true? (design section 4, Plausibility)

Only three things are judged: more energy than the stated power allows, a register that runs
backwards, and impossible times where time has a price.
"""

import datetime as dt
import itertools
from dataclasses import dataclass
from decimal import Decimal

from billing.energy import Wh, round_wh
from billing.money import Minor
from billing.pricing import ceiling, is_uniform

from ..facts import Stopped
from ..models import ChargingSession
from .bill import delivered_wh, price_session, terms_of
from .ending import Ending

CLOCK_CHANGED, CLOCK_UNKNOWN = "clock_changed", "clock_unknown"
TOLERANCE_WH = Decimal(100)
TOLERANCE_SHARE = Decimal("0.01")
POWER_MARGIN = Decimal("1.1")
"""Meters and rated powers are not exact; a station may deliver a little over its plate."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why an ending is not believed, and the largest cost that could be true."""

    cause: str
    plausible_minor: Minor


def flags_of(session: ChargingSession, fact: Stopped, *, has_time: bool) -> set[str]:
    """What is odd about a stop, though it is billed as it stands."""
    flags = set() if has_time else {CLOCK_CHANGED}
    stop, start, last = fact.meter_stop_wh, session.meter_start_wh, session.meter_last_wh
    if stop is None:
        flags.add("meter_stop_missing")
    elif start is not None and stop < start:
        flags.add("meter_stop_below_start")
    elif last is not None and last - stop > _tolerance(session, last):
        flags.add("meter_stop_below_last_sample")
    return flags


def doubt(session: ChargingSession, ending: Ending) -> Doubt | None:
    """Return why an operator must look at this ending, or None when it can be settled.

    It is asked before meterStop is stored as a reading: it may replace a sample of its moment.
    """
    energy_wh, possible_wh = (
        delivered_wh(session, ending.register_wh),
        _possible_wh(session, ending),
    )
    if possible_wh is not None and energy_wh > possible_wh:
        return Doubt("implausible_energy", _cost(session, ending, possible_wh))
    registers = _registers(session)
    if _ended_below(session, registers):
        counted_wh = max(_counted_wh(registers), energy_wh)
        most_wh = counted_wh if possible_wh is None else Wh(min(counted_wh, possible_wh))
        return Doubt("meter_ran_backwards", _cost(session, ending, most_wh))
    for cause in (CLOCK_CHANGED, CLOCK_UNKNOWN):
        if cause in session.flags and not is_uniform(terms_of(session)):
            return Doubt(cause, _most_cost(session, ending, energy_wh))
    return None


def _possible_wh(session: ChargingSession, ending: Ending) -> Wh | None:
    """The most energy that the stated power allows; None where no power is stated."""
    power_kw = session.station.max_power_kw
    if power_kw is None or session.started_at is None:
        return None
    elapsed: dt.timedelta = ending.at - session.started_at
    hours = Decimal(elapsed.total_seconds()) / 3600
    return Wh(int(power_kw * 1000 * hours * POWER_MARGIN + TOLERANCE_WH))


def _registers(session: ChargingSession) -> list[Decimal]:
    """What the meter said, in the order of the station's clock: start, samples, stop."""
    samples = session.readings.filter(register_wh__isnull=False, context__startswith="Sample")
    values = [row.register_wh for row in samples.order_by("at")]
    return [
        value
        for value in (session.meter_start_wh, *values, session.meter_stop_wh)
        if value is not None
    ]


def _ended_below(session: ChargingSession, registers: list[Decimal]) -> bool:
    """Whether the samples fell by more than a meter's own noise, and it never made up for it.

    A stop below the last sample is no such fall: meterStop rules, and is flagged.
    """
    has_stop = session.meter_stop_wh is not None
    samples = registers[1:-1] if has_stop else registers[1:]
    fell = any(
        before - after > _tolerance(session, before)
        for before, after in itertools.pairwise(samples)
    )
    return fell and registers[-1] < max(samples)


def _counted_wh(registers: list[Decimal]) -> Wh:
    """The most that a meter can have counted which fell: all its rises.

    Where it fell below its start, it may have begun again at 0.
    """
    rises = (
        after - before if after >= before else (after if after < registers[0] else Decimal(0))
        for before, after in itertools.pairwise(registers)
    )
    return round_wh(sum(rises, Decimal(0)))


def _tolerance(session: ChargingSession, register_wh: Decimal) -> Decimal:
    delivered = register_wh - (session.meter_start_wh or Decimal(0))
    return max(TOLERANCE_WH, delivered * TOLERANCE_SHARE)


def _cost(session: ChargingSession, ending: Ending, energy_wh: Wh) -> Minor:
    total = price_session(session, energy_wh=energy_wh, until=ending.at).bill.total
    return Minor(min(total, session.hold_minor))


def _most_cost(session: ChargingSession, ending: Ending, energy_wh: Wh) -> Minor:
    """The most that this energy can cost at any time of day, in the longest that it can have taken.

    The clock is not known, but by `ending.at` the session was over.
    """
    start = session.started_at or ending.at
    most = ceiling(
        terms_of(session),
        start=start,
        zone=session.station.zone,
        energy_wh=energy_wh,
        duration=ending.at - start,
    )
    return Minor(session.hold_minor if most is None else min(most, session.hold_minor))
