"""Can what a station said at the end be true? (design section 4, Plausibility)

Judged are: more energy than the stated power allows, a register that runs backwards, a meter that
only makes sense when it is read otherwise than it was told, and impossible times where time has a
price.
"""

import datetime as dt
import itertools
from dataclasses import dataclass
from decimal import Decimal

from billing.energy import Wh, round_wh
from billing.money import Minor
from billing.pricing import ceiling, is_uniform
from stations.metering import Quirk

from ..facts import Stopped
from ..models import ChargingSession
from .bill import delivered_wh, price_session, terms_of
from .ending import Ending
from .normalise import unstated
from .told import samples_of, told_by

CLOCK_CHANGED, CLOCK_UNKNOWN = "clock_changed", "clock_unknown"
RAN_BACKWARDS, REREAD, METER_UNCLEAR = "meter_ran_backwards", "meter_reread", "meter_unclear"
LEAST_POWER_W = 1_000
METER_CAUSES = (RAN_BACKWARDS, REREAD, METER_UNCLEAR)
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


def doubt(
    session: ChargingSession, ending: Ending, *, told_stop_wh: Decimal | None = None
) -> Doubt | None:
    """Return why an operator must look at this ending, or None when it can be settled.

    `told_stop_wh` is meterStop as the station told it. It is asked before meterStop is stored as a
    reading: it may replace a sample of its moment.
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
        return Doubt(RAN_BACKWARDS, _cost(session, ending, most_wh))
    cause = _meter_cause(session, told_stop_wh)
    if cause is None and _is_a_thousandth(session, energy_wh):
        cause = METER_UNCLEAR
    if cause:
        most_wh = _most_told_wh(session, energy_wh, cause)
        most_wh = most_wh if possible_wh is None else Wh(min(most_wh, possible_wh))
        return Doubt(cause, _cost(session, ending, most_wh))
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


def _meter_cause(session: ChargingSession, told_stop_wh: Decimal | None) -> str | None:
    """Why the meter is not believed, though each value alone could be true.

    What Kubat found out by itself never decides a bill: only meterStop as it was told does.
    """
    found = unstated(session)
    if found and session.meter_stop_wh != told_stop_wh:
        return RAN_BACKWARDS if Quirk.RESTARTED in found else REREAD
    if found and told_stop_wh is None:
        return REREAD
    return METER_UNCLEAR if _is_unclear(session, told_stop_wh) else None


def _is_unclear(session: ChargingSession, told_stop_wh: Decimal | None) -> bool:
    """Whether samples stayed unclear to the end, and no other says what meterStop says."""
    if Quirk.UNCLEAR not in session.flags:
        return False
    rows = list(samples_of(session))
    unclear = [row for row in rows if Quirk.UNCLEAR in row.flags and told_by(row).register_wh]
    if told_stop_wh is None:
        return bool(unclear) and unclear[-1] == rows[-1]
    if told_stop_wh == session.meter_start_wh or not all(row.register_wh is None for row in rows):
        return False
    return bool(unclear) and not _is_in_kwh(told_by(unclear[-1]).register_wh, told_stop_wh)


def _is_in_kwh(sampled_wh: Decimal | None, told_stop_wh: Decimal) -> bool:
    """Whether the last sample says in kWh, under the name of Wh, what meterStop says."""
    return bool(sampled_wh) and 500 <= told_stop_wh / Decimal(sampled_wh or 1) <= 2_000


def _is_a_thousandth(session: ChargingSession, energy_wh: Wh) -> bool:
    """Whether the power that was sampled is about a thousand times the energy that is billed.

    So it is where samples and meterStop alike are kWh under the name of Wh.
    """
    if not energy_wh or energy_wh >= TOLERANCE_WH:
        return False
    rows = samples_of(session).filter(power_w__gte=LEAST_POWER_W).values_list("at", "power_w")
    by_power_wh = sum(
        (
            min(before or Decimal(0), power or Decimal(0))
            * Decimal((at - since).total_seconds())
            / 3600
            for (since, before), (at, power) in itertools.pairwise(rows)
        ),
        Decimal(0),
    )
    return by_power_wh >= 5 * TOLERANCE_WH and 200 <= by_power_wh / energy_wh <= 5_000


def _most_told_wh(session: ChargingSession, energy_wh: Wh, cause: str) -> Wh:
    """The most that the meter can mean: its samples and its stop; unclear ones also in kWh."""
    most = max(delivered_wh(session, session.meter_last_wh), energy_wh)
    return Wh(max(most, energy_wh * 1000)) if cause == METER_UNCLEAR else most


def _registers(session: ChargingSession) -> list[Decimal]:
    """What the meter said, in the order of the station's clock: start, samples, stop."""
    rows = session.readings_since_start()
    samples = rows.filter(context__startswith="Sample").order_by("at")
    values = [row.register_wh for row in samples]
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
