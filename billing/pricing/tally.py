"""Price a session: add up what it used of each price, round up steps, keep to the bounds."""

import zoneinfo
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from ..money import Minor, round_minor, to_major
from .bill import Bill, Line, number_text
from .periods import US_AN_HOUR, Period, Segment, cut, in_utc
from .rates import Rates
from .terms import DIMENSIONS, Component, Dimension, PriceBound, Share, Terms


class Unit(NamedTuple):
    """How a dimension is counted: `size` counts are one priced unit, `step` counts one step.

    A quantity is shown with `decimals`, or with up to six where that says it better.
    """

    name: str
    size: int
    step: int
    decimals: int


_HOUR = Unit("h", US_AN_HOUR, 1_000_000, 2)
UNITS: dict[Dimension, Unit] = {
    "ENERGY": Unit("kWh", 1000, 1, 3),
    "TIME": _HOUR,
    "PARKING_TIME": _HOUR,
    "FLAT": Unit("session", 1, 0, 0),
}


def price(terms: Terms, periods: Sequence[Period], zone: zoneinfo.ZoneInfo) -> Bill:
    """Price the periods of one session, in order of time; `zone` is the station's.

    The same periods give the same bill to the byte. Without periods nothing was sold. Raises
    Invalid when the periods are not in order.
    """
    if not periods:
        return Bill(terms.currency)
    periods = in_utc(periods)
    rates = Rates.of(terms, periods[0].start, periods[-1].end, zone)
    tally = _Tally(terms.parking_grace_s * _HOUR.step)
    regions: dict[tuple[int, int, int], _Region] = {}
    for segment in cut(periods, rates):
        key = _region_key(segment, rates)
        region = regions.get(key)
        if region is None:
            here = rates.at(segment.start, segment.before_wh, segment.power_w)
            region = regions[key] = {name: tally.used(one) for name, one in here.items()}
        tally.add(segment, region)
    tally.round_up_steps()
    lines = tuple(tally.lines())
    return Bill(terms.currency, lines + tuple(_adjustments(terms, lines)))


def amount_of(component: Component, count: Share) -> Decimal:
    """The exact price of a count of Wh, microseconds or sessions, in minor units, gross."""
    size = UNITS[component.type].size
    return count.numerator * component.unit_price * 100 / (count.denominator * size)


def step_of(component: Component) -> int:
    """The step of a component in counts; 0 where nothing is rounded up.

    A step of 1 Wh or 1 s is the resolution of meters and clocks, so it rounds nothing.
    """
    return component.step_size * UNITS[component.type].step if component.step_size > 1 else 0


@dataclass(slots=True, eq=False)
class _Used:
    """How much of one component a session used, in counts of its unit."""

    component: Component
    count: Share = 0


_Region = dict[Dimension, _Used]


class _Tally:
    """What a session used. `grace_us` of parking come free."""

    def __init__(self, grace_us: int) -> None:
        self._grace_us = grace_us
        self._used: dict[Component, _Used] = {}
        self._last: dict[Dimension, _Used] = {}

    def used(self, component: Component) -> _Used:
        return self._used.setdefault(component, _Used(component))

    def add(self, segment: Segment, region: _Region) -> None:
        self._count("ENERGY", region, segment.energy_wh)
        if segment.state == "charging":
            self._count("TIME", region, segment.duration_us)
        else:
            free = min(self._grace_us, segment.duration_us)
            self._grace_us -= free
            self._count("PARKING_TIME", region, segment.duration_us - free)
        if "FLAT" not in self._last:
            self._count("FLAT", region, 1)

    def _count(self, dimension: Dimension, region: _Region, count: Share) -> None:
        used = region.get(dimension)
        if used is not None and count:
            used.count += count
            self._last[dimension] = used

    def round_up_steps(self) -> None:
        """Round energy up once and time once, by the step of the last price used (§10.3.1).

        What is rounded is the session's total of the dimension, and the last price pays the
        difference. Where parking was priced its total is rounded and charging time is not.
        """
        time: Dimension = "PARKING_TIME" if "PARKING_TIME" in self._last else "TIME"
        for last in (self._last.get("ENERGY"), self._last.get(time)):
            step = step_of(last.component) if last else 0
            if last and step:
                last.count += -self._total(last.component.type) % step

    def _total(self, dimension: Dimension) -> Share:
        counts = (one.count for one in self._used.values() if one.component.type == dimension)
        return sum(counts, start=0)

    def lines(self) -> Iterator[Line]:
        """One line a distinct price, by dimension and then in the order of their use."""
        counts: dict[Component, Share] = {}
        for used in self._used.values():
            one = used.component
            known = Component(one.type, one.unit_price, one.vat_percent)
            counts[known] = counts.get(known, 0) + used.count
        for component in sorted(counts, key=lambda one: DIMENSIONS.index(one.type)):
            if counts[component]:
                yield _line(component, counts[component])


def _region_key(segment: Segment, rates: Rates) -> tuple[int, int, int]:
    power = segment.power_w
    return (
        bisect_right(rates.moments, segment.start),
        bisect_right(rates.energies, segment.before_wh),
        -1 if power is None else bisect_right(rates.powers, power),
    )


def _line(component: Component, count: Share) -> Line:
    unit = UNITS[component.type]
    vat = component.vat_percent
    amount = round_minor(amount_of(component, count))
    return Line(
        type=component.type,
        quantity=_quantity(count, unit),
        unit=unit.name,
        unit_price=component.unit_price,
        amount=amount,
        tax=round_minor(amount * vat / (100 + vat)),
        vat_percent=vat,
    )


def _quantity(count: Share, unit: Unit) -> Decimal:
    exact = Decimal(count.numerator) / (count.denominator * unit.size)
    shown = exact.quantize(Decimal("0.000001"), rounding=ROUND_HALF_UP)
    return Decimal(number_text(shown, least_decimals=unit.decimals))


def _adjustments(terms: Terms, lines: tuple[Line, ...]) -> Iterator[Line]:
    """Lines that bring the sums to the least and the most price, each with its tax."""
    gross: int = sum(line.amount for line in lines)
    tax: int = sum(line.tax for line in lines)
    bounds: tuple[tuple[str, PriceBound | None], ...] = (
        ("MIN_PRICE", terms.min_price),
        ("MAX_PRICE", terms.max_price),
    )
    for name, bound in bounds:
        if bound is None:
            continue
        pick = max if name == "MIN_PRICE" else min
        wanted = pick(gross, bound.incl_vat)
        wanted_tax = wanted - pick(gross - tax, bound.excl_vat)
        if (wanted, wanted_tax) != (gross, tax):
            amount = Minor(wanted - gross)
            yield Line(
                name, Decimal(1), "session", to_major(amount), amount, Minor(wanted_tax - tax)
            )
        gross, tax = wanted, wanted_tax
