"""What a charge can cost at most, and what an amount surely buys, before anything is known."""

import datetime as dt
import zoneinfo
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from itertools import pairwise

from ..energy import Wh
from ..money import Minor, round_minor
from .periods import MICROSECOND, US_AN_HOUR
from .rates import Rates
from .tally import amount_of, step_of
from .terms import Component, Dimension, Terms

HORIZON = dt.timedelta(hours=24)
MOST_WH = 1_000_000_000
"""No charge takes more than a gigawatt-hour: what buys that much has no limit."""


def is_uniform(terms: Terms) -> bool:
    """Whether one period for the whole session prices the same as its parts.

    So it is where only energy and a flat fee are priced, and always at the same price.
    """
    timed = (terms.candidates("TIME"), terms.candidates("PARKING_TIME"))
    steady = (terms.candidates("ENERGY"), terms.candidates("FLAT"))
    return not any(True for one in timed for _ in one) and all(
        restrictions is None for one in steady for restrictions, _ in one
    )


def ceiling(
    terms: Terms,
    *,
    start: dt.datetime,
    zone: zoneinfo.ZoneInfo,
    energy_wh: Wh | None = None,
    duration: dt.timedelta | None = None,
    max_power_w: int | None = None,
) -> Minor | None:
    """The most that a charge of this energy or duration can cost if it begins at `start`.

    It takes the highest rates that can apply in the 24 h from `start` (or in `duration`, if that
    is longer), with the highest flat fee. For an energy, time fees are those of charging it at
    `max_power_w` without parking; for a duration, the energy is what `max_power_w` delivers in
    it, and each moment may be parking; for both, this energy in this duration. None when the
    answer needs a power that is not known.
    """
    reach = _Reach.of(terms, start, zone, max(HORIZON, duration or HORIZON), max_power_w)
    if duration is None:
        return None if energy_wh is None else _ceiling_of_energy(reach, energy_wh)
    if energy_wh is None:
        return _ceiling_of_duration(reach, duration)
    return reach.cost(energy_wh=energy_wh, occupied_us=duration // MICROSECOND)


def affordable_wh(
    terms: Terms, amount: Minor, *, start: dt.datetime, zone: zoneinfo.ZoneInfo
) -> Wh | None:
    """The energy that `amount` surely buys in the 24 h from `start`, rounded down.

    It counts the highest rate that each kWh can have and the highest flat fee; parking costs
    extra. None when there is no such limit: energy is free, the greatest price is covered, or
    time fees make it depend on the power.
    """
    reach = _Reach.of(terms, start, zone, HORIZON, None)
    if reach.is_priced("TIME", MOST_WH) or reach.cost(energy_wh=MOST_WH) <= amount:
        return None
    found = bisect_right(range(MOST_WH), amount, key=lambda wh: reach.cost(energy_wh=wh))
    return Wh(max(0, found - 1))


def _ceiling_of_energy(reach: "_Reach", energy_wh: Wh) -> Minor | None:
    if not reach.is_priced("TIME", energy_wh):
        return reach.cost(energy_wh=energy_wh)
    if not reach.max_power_w:
        return None
    charging_us = -(-energy_wh * US_AN_HOUR // reach.max_power_w)  # rounded up
    return reach.cost(energy_wh=energy_wh, charging_us=charging_us)


def _ceiling_of_duration(reach: "_Reach", duration: dt.timedelta) -> Minor | None:
    us = duration // MICROSECOND
    if reach.max_power_w is not None:
        return reach.cost(energy_wh=reach.max_power_w * us // US_AN_HOUR, occupied_us=us)
    if reach.is_priced("ENERGY", MOST_WH):
        return None
    return reach.cost(energy_wh=MOST_WH, occupied_us=us)


_Share = tuple[int, set[Component]]
"""A count of Wh, microseconds or sessions, and the components that can price it."""
_LineKey = tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class _Reach:
    """The components that a charge can meet, by band of its energy.

    `bands` are the energies in Wh from which on each set of `met` can apply.
    """

    terms: Terms
    max_power_w: int | None
    bands: list[int]
    met: list[set[Component]]

    @classmethod
    def of(
        cls,
        terms: Terms,
        start: dt.datetime,
        zone: zoneinfo.ZoneInfo,
        horizon: dt.timedelta,
        max_power_w: int | None,
    ) -> "_Reach":
        start = start.astimezone(dt.UTC)
        rates = Rates.of(terms, start, start + horizon, zone)
        bands = [0, *(band for band in rates.energies if band > 0)]
        met = [set(_met(rates, band, max_power_w)) for band in bands]
        return cls(terms, max_power_w, bands, met)

    def is_priced(self, dimension: Dimension, energy_wh: int) -> bool:
        """Whether a charge of this energy can meet a price above zero."""
        return any(one.unit_price for one in self._within(dimension, energy_wh))

    def cost(self, *, energy_wh: int, charging_us: int = 0, occupied_us: int = 0) -> Minor:
        """The most that this much energy and time can cost, between the bounds of the terms.

        `occupied_us` may be charging or parking.
        """
        total = self._energy_cost(energy_wh) + _highest(self._within("FLAT", energy_wh), 1)
        charging = self._within("TIME", energy_wh)
        parking = self._within("PARKING_TIME", energy_wh)
        total += _highest(charging, charging_us) + _occupied_cost(charging, parking, occupied_us)
        if self.terms.min_price:
            total = max(total, self.terms.min_price.incl_vat)
        if self.terms.max_price:
            total = min(total, self.terms.max_price.incl_vat)
        return Minor(total)

    def _within(self, dimension: Dimension, energy_wh: int) -> set[Component]:
        met = self.met[: bisect_right(self.bands, energy_wh)]
        return {one for components in met for one in components if one.type == dimension}

    def _energy_cost(self, energy_wh: int) -> int:
        """The lesser of two sums that no session of this energy passes.

        One takes each band at its highest price, and one step more at the highest of all; the
        other takes the whole, rounded up to a step, at the highest price of all.
        """
        edges = [*(band for band in self.bands if band < energy_wh), energy_wh]
        shares: list[_Share] = []
        for (low, high), components in zip(pairwise(edges), self.met, strict=False):
            if energy := {one for one in components if one.type == "ENERGY"}:
                shares.append((high - low, energy))
        met = set().union(*(components for _, components in shares))
        if not met:
            return 0
        step = max(step_of(one) for one in met)
        stepped = max(_rounded_up(one, energy_wh) for one in met)
        by_band = [*shares, (step, met)] if step else shares
        return min(_most_of(by_band), _most_of([(stepped, met)]))


def _occupied_cost(charging: set[Component], parking: set[Component], us: int) -> int:
    """The most that a time can cost in which each moment is charging or parking."""
    met = charging | parking
    if not (charging and parking and us):
        return _highest(met, us)
    return _most_of([(us + max(step_of(one) for one in met), met)])


def _met(rates: Rates, band: int, max_power_w: int | None) -> Iterator[Component]:
    """The components that can apply from this energy on, at some time and power."""
    powers: list[int | None] = [None, 0]
    powers += [power for power in rates.powers if max_power_w is None or power <= max_power_w]
    for moment in (rates.start, *rates.moments):
        for power_w in powers:
            yield from rates.at(moment, band, power_w).values()


def _highest(components: set[Component], count: int) -> int:
    """The most that a count can cost, its steps rounded up by any of the components."""
    if not (components and count):
        return 0
    return _most_of([(max(_rounded_up(one, count) for one in components), components)])


def _rounded_up(component: Component, count: int) -> int:
    step = step_of(component)
    return count + (-count % step if step else 0)


def _most_of(shares: list[_Share]) -> int:
    """The most that lines can sum to where each share is sold at any of its own prices."""
    if all(len({_line_of(one) for one in components}) == 1 for _, components in shares):
        return _sum_of_known_lines(shares)
    exact = sum(
        (max(amount_of(one, count) for one in components) for count, components in shares),
        Decimal(0),
    )
    return int((exact + _most_rounding(shares)).to_integral_value(ROUND_FLOOR))


def _sum_of_known_lines(shares: list[_Share]) -> int:
    lines: dict[_LineKey, Decimal] = {}
    for count, components in shares:
        one = next(iter(components))
        lines[_line_of(one)] = lines.get(_line_of(one), Decimal(0)) + amount_of(one, count)
    return sum(round_minor(amount) for amount in lines.values())


def _most_rounding(shares: list[_Share]) -> Decimal:
    """What rounding can add to the sum.

    The line with the dearest price of a share can round up by a half. Any other must first come
    to a half to gain one, and gives up the dearest price for that half: together it gains at
    most 1 - dearest / (2 * its own).
    """
    gains: dict[_LineKey, Decimal] = {}
    for _, components in shares:
        dearest = max(one.unit_price for one in components)
        for one in components:
            gain = 1 - dearest / (2 * one.unit_price) if one.unit_price else Decimal(0)
            gains[_line_of(one)] = max(gains.get(_line_of(one), Decimal(0)), gain)
    return sum(gains.values(), Decimal(0))


def _line_of(component: Component) -> _LineKey:
    return component.unit_price, component.vat_percent
