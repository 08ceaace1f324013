"""What a tariff says, in the meaning of the OCPI 2.2.1 tariff object (§11.3 and §11.4)."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple

from ..money import Minor

Dimension = Literal["ENERGY", "TIME", "PARKING_TIME", "FLAT"]
DIMENSIONS: tuple[Dimension, ...] = ("ENERGY", "TIME", "PARKING_TIME", "FLAT")


Share = int | Fraction
"""A part of an energy in Wh, exact: only money is rounded."""


class Moment(NamedTuple):
    """The conditions of a session at one moment: what restrictions are judged by."""

    local: dt.datetime
    elapsed: dt.timedelta
    energy_wh: Share
    power_w: int | None


@dataclass(frozen=True, slots=True)
class Component:
    """A price for one dimension.

    `unit_price` is gross, in major units a kWh, an hour or a session: OCPI states it net, and
    tax is added when it is read, so that all prices inside are of one kind. `step_size` is in Wh
    or seconds; 0 is no step.
    """

    type: Dimension
    unit_price: Decimal
    vat_percent: Decimal = Decimal(0)
    step_size: int = 1


@dataclass(frozen=True, slots=True)
class Restrictions:
    """When an element applies: lower bounds are inclusive, upper ones exclusive (§11.4.6).

    `days` are local days of the week, Monday is 0, none means all. An element for reservations
    never applies to a charge.
    """

    start_time: dt.time | None = None
    end_time: dt.time | None = None
    start_date: dt.date | None = None
    end_date: dt.date | None = None
    days: frozenset[int] = frozenset()
    min_wh: int | None = None
    max_wh: int | None = None
    min_power_w: int | None = None
    max_power_w: int | None = None
    min_duration: dt.timedelta | None = None
    max_duration: dt.timedelta | None = None
    is_reservation: bool = False

    def match(self, moment: Moment) -> bool:
        """Whether all restrictions hold at this moment; each is judged by itself."""
        return (
            self._matches_clock(moment.local)
            and self._matches_duration(moment.elapsed)
            and _is_within(moment.energy_wh, self.min_wh, self.max_wh)
            and self._matches_power(moment.power_w)
        )

    @property
    def has_clock(self) -> bool:
        """Whether the local time or date matters."""
        dates = (self.start_date, self.end_date)
        return bool(self.days) or any(limit is not None for limit in (*self.times, *dates))

    @property
    def times(self) -> tuple[dt.time | None, dt.time | None]:
        return self.start_time, self.end_time

    def _matches_clock(self, local: dt.datetime) -> bool:
        if self.days and local.weekday() not in self.days:
            return False
        if self.start_date and local.date() < self.start_date:
            return False
        if self.end_date and local.date() >= self.end_date:
            return False
        return self._matches_time(local.time())

    def _matches_time(self, local: dt.time) -> bool:
        """An end at or before the start is on the next day; 00:00 ends the day."""
        start = self.start_time or dt.time.min
        if self.end_time is None:
            return local >= start
        if start < self.end_time:
            return start <= local < self.end_time
        return local >= start or local < self.end_time

    def _matches_duration(self, elapsed: dt.timedelta) -> bool:
        if self.min_duration is not None and elapsed < self.min_duration:
            return False
        return self.max_duration is None or elapsed < self.max_duration

    def _matches_power(self, power_w: int | None) -> bool:
        if power_w is None:
            return self.min_power_w is None and self.max_power_w is None
        return _is_within(power_w, self.min_power_w, self.max_power_w)


@dataclass(frozen=True, slots=True)
class Element:
    """Components that share restrictions."""

    components: tuple[Component, ...]
    restrictions: Restrictions | None = None


@dataclass(frozen=True, slots=True)
class PriceBound:
    """The least or the most that a session costs, without and with tax; both hold.

    `excl_vat` is not above `incl_vat`.
    """

    excl_vat: Minor
    incl_vat: Minor


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a sale.

    `price_per_kwh` is gross (tax included) and acts as a last ENERGY element without
    restrictions. The first `parking_grace_s` seconds of parking in a session are free.
    """

    currency: str
    price_per_kwh: Decimal | None = None
    vat_percent: Decimal = Decimal(0)
    elements: tuple[Element, ...] = ()
    min_price: PriceBound | None = None
    max_price: PriceBound | None = None
    parking_grace_s: int = 0

    def candidates(self, dimension: Dimension) -> Iterator[tuple[Restrictions | None, Component]]:
        """The components of a dimension in order of precedence; the last is unrestricted or not.

        What stands behind an unrestricted one can never apply and is left out.
        """
        for element in self.elements:
            restrictions = element.restrictions
            if restrictions and restrictions.is_reservation:
                continue
            for component in element.components:
                if component.type == dimension:
                    yield restrictions, component
                    if restrictions is None:
                        return
        if dimension == "ENERGY" and self.price_per_kwh is not None:
            yield None, Component("ENERGY", self.price_per_kwh, self.vat_percent)


def _is_within(value: Share, low: int | None, high: int | None) -> bool:
    return (low is None or value >= low) and (high is None or value < high)
