"""The total of an energy, where a tariff asks for nothing else: made once, used for each sample."""

import datetime as dt
import zoneinfo
from collections.abc import Callable
from decimal import Decimal

from ..energy import Wh
from ..money import Minor, round_minor
from .estimate import is_uniform
from .periods import Period
from .tally import amount_of, price
from .terms import Component, Terms

ANY_TIME = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
ANY_ZONE = zoneinfo.ZoneInfo("UTC")


def total_by_energy(terms: Terms) -> Callable[[Wh], Minor] | None:
    """Return what `price` makes of so many Wh at any time; None where time has a price too."""
    if not is_uniform(terms):
        return None
    if terms.elements or terms.min_price or terms.max_price:
        return lambda energy_wh: _whole(terms, energy_wh)
    rate = Component("ENERGY", terms.price_per_kwh or Decimal(0))
    return lambda energy_wh: round_minor(amount_of(rate, energy_wh))


def _whole(terms: Terms, energy_wh: Wh) -> Minor:
    period = Period(ANY_TIME, ANY_TIME + dt.timedelta(hours=1), energy_wh)
    return price(terms, [period], ANY_ZONE).total
