"""The car at a connector: how much it takes, how fast, and how full it says it is."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

ARRIVES_AT = Decimal(20)
TAPERS_FROM = Decimal(80)
SLOWEST = Decimal("0.2")
_HOUR = dt.timedelta(hours=1)


@dataclass(slots=True)
class Car:
    """Arrives at 20 % and is full after `needs_wh`; above 80 % it takes less and less power."""

    needs_wh: Decimal
    taken_wh: Decimal = Decimal(0)

    @property
    def is_full(self) -> bool:
        return self.taken_wh >= self.needs_wh

    @property
    def soc(self) -> Decimal:
        return ARRIVES_AT + (100 - ARRIVES_AT) * self.taken_wh / self.needs_wh

    def power_w(self, offered_w: Decimal) -> Decimal:
        """What it takes of the power that the station offers now."""
        if self.is_full:
            return Decimal(0)
        if self.soc <= TAPERS_FROM:
            return offered_w
        share = 1 - (1 - SLOWEST) * (self.soc - TAPERS_FROM) / (100 - TAPERS_FROM)
        return offered_w * share

    def take(self, offered_w: Decimal, duration: dt.timedelta) -> Decimal:
        """Charge for a moment and return the Wh taken, never more than it needs."""
        hours = Decimal(duration // dt.timedelta(microseconds=1)) / (
            _HOUR // dt.timedelta(microseconds=1)
        )
        energy_wh = min(self.power_w(offered_w) * hours, self.needs_wh - self.taken_wh)
        self.taken_wh += energy_wh
        return energy_wh
