"""Can what a station said at the end be true? (design section 4, Plausibility)

Only three things are judged: more energy than the stated power allows, a register that runs
backwards, and impossible times where time has a price.
"""

import datetime as dt
import itertools
from dataclasses import dataclass
from decimal import Decimal

from billing.energy import Wh
from billing.money import Minor
from billing.pricing import is_uniform

from ..facts import Stopped
from ..models import ChargingSession
from .bill import delivered_wh, price_session, terms_of
from .settle import Ending

CLOCK_CHANGED = "clock_changed"
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
    """Return why an operator must look at this ending, or None when it can be settled."""
    energy_wh = delivered_wh(session, ending.register_wh)
    possible_wh = _possible_wh(session, ending)
    if possible_wh is not None and energy_wh > possible_wh:
        return Doubt("implausible_energy", _cost(session, ending, possible_wh))
    highest = session.meter_last_wh or Decimal(0)
    if _ran_backwards(session) and (ending.register_wh or Decimal(0)) < highest:
        return Doubt("meter_ran_backwards", _cost(session, ending, delivered_wh(session, highest)))
    if CLOCK_CHANGED in session.flags and not is_uniform(terms_of(session)):
        return Doubt(CLOCK_CHANGED, Minor(session.hold_minor))
    return None


def _possible_wh(session: ChargingSession, ending: Ending) -> Wh | None:
    """The most energy that the stated power allows; None where no power is stated."""
    power_kw = session.station.max_power_kw
    if power_kw is None or session.started_at is None:
        return None
    elapsed: dt.timedelta = ending.at - session.started_at
    hours = Decimal(elapsed.total_seconds()) / 3600
    return Wh(int(power_kw * 1000 * hours * POWER_MARGIN + TOLERANCE_WH))


def _ran_backwards(session: ChargingSession) -> bool:
    """Whether the samples fall by more than a meter's own noise."""
    registers = session.readings.filter(register_wh__isnull=False, context__startswith="Sample")
    values = [row.register_wh or Decimal(0) for row in registers.order_by("at")]
    return any(
        before - after > _tolerance(session, before) for before, after in itertools.pairwise(values)
    )


def _tolerance(session: ChargingSession, register_wh: Decimal) -> Decimal:
    delivered = register_wh - (session.meter_start_wh or Decimal(0))
    return max(TOLERANCE_WH, delivered * TOLERANCE_SHARE)


def _cost(session: ChargingSession, ending: Ending, energy_wh: Wh) -> Minor:
    total = price_session(session, energy_wh=energy_wh, until=ending.at).bill.total
    return Minor(min(total, session.hold_minor))
