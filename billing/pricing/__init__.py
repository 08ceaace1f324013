"""What a charge costs: a pure function from terms and periods to a bill. No database, no clock.

Amounts are integer minor units, unit prices Decimal in major units. Money is rounded once a
line, half up (`money.round_minor`); nothing else is rounded.
"""

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from ..energy import Wh
from ..money import Minor, round_minor, to_text

State = Literal["charging", "parking"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a tariff says, in the meaning of the OCPI 2.2.1 tariff object (§11.3.1).

    `price_per_kwh` is gross (tax included); prices inside `elements` are net, as OCPI says.
    """

    currency: str
    price_per_kwh: Decimal | None = None
    vat_percent: Decimal = Decimal(0)
    elements: tuple[dict[str, Any], ...] = ()
    min_price: dict[str, Any] | None = None
    max_price: dict[str, Any] | None = None
    parking_grace_s: int = 0


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of one session: aware UTC times, energy in Wh, mean power in W if known."""

    start: dt.datetime
    end: dt.datetime
    energy_wh: Wh
    power_w: int | None = None
    state: State = "charging"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill. `amount` is gross and contains `tax`."""

    type: str  # ENERGY, TIME, PARKING_TIME, FLAT, MIN_PRICE, MAX_PRICE
    quantity: Decimal
    unit: str  # kWh, h, session
    unit_price: Decimal
    amount: Minor
    tax: Minor

    def to_json(self) -> dict[str, str]:
        return {
            "type": self.type,
            "quantity": f"{self.quantity:f}",
            "unit": self.unit,
            "unit_price": f"{self.unit_price:f}",
            "amount": to_text(self.amount),
            "tax": to_text(self.tax),
        }


@dataclass(frozen=True, slots=True)
class Bill:
    """What was sold: its lines, and their sums in minor units (gross, and the tax in it)."""

    currency: str
    lines: tuple[Line, ...] = field(default=())

    @property
    def total(self) -> Minor:
        return Minor(sum(line.amount for line in self.lines))

    @property
    def tax(self) -> Minor:
        return Minor(sum(line.tax for line in self.lines))

    def to_json(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "lines": [line.to_json() for line in self.lines],
            "total": to_text(self.total),
            "tax": to_text(self.tax),
        }


def price(terms: Terms, periods: Sequence[Period], zone: zoneinfo.ZoneInfo) -> Bill:
    """Price the periods of one session, in order of time; `zone` is the station's."""
    energy_kwh = Decimal(sum(p.energy_wh for p in periods)).scaleb(-3)
    unit_price = terms.price_per_kwh or Decimal(0)
    amount = round_minor(energy_kwh * unit_price * 100)
    tax = round_minor(amount * terms.vat_percent / (100 + terms.vat_percent))
    line = Line("ENERGY", energy_kwh, "kWh", unit_price, amount, tax)
    return Bill(terms.currency, (line,) if amount else ())


def is_uniform(terms: Terms) -> bool:
    """Whether one period for the whole session prices the same as its parts."""
    return True


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

    It takes the highest rates that can apply in the 24 h from `start`, with flat fees. Time fees
    follow from the energy at `max_power_w`, energy from the duration at `max_power_w`. None when
    the answer needs a power that is not known.
    """
    if energy_wh is None:
        if duration is None or max_power_w is None:
            return None
        energy_wh = Wh(int(max_power_w * duration.total_seconds() / 3600))
    return price(terms, [Period(start, start, energy_wh)], zone).total


def affordable_wh(
    terms: Terms, amount: Minor, *, start: dt.datetime, zone: zoneinfo.ZoneInfo
) -> Wh | None:
    """The energy that `amount` buys at the highest rate, rounded down; None when energy is free
    or when time fees make it depend on the power."""
    if not terms.price_per_kwh:
        return None
    return Wh(int(amount * 10 / terms.price_per_kwh))
