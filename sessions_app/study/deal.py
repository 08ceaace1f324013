"""What was bought: the terms, the limit and the hold, and when delivery truly reaches them."""

import datetime as dt
import zoneinfo
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from billing.energy import Wh
from billing.money import Minor
from billing.pricing import Period, Terms, price, total_by_energy

from ..bounds import Bounds
from .truth import EPOCH, Truth, moment

UTC = zoneinfo.ZoneInfo("UTC")
HALVINGS = 22
MOST_WH = 1_000_000
"""More than any session takes: an amount that buys it has no limit of energy."""
EnergyAt = Callable[[dt.datetime], float]


@dataclass(frozen=True, slots=True)
class Deal:
    """`kind` is the limit's type; `switch_at` is when the time of day changes the price.

    `target_wh` is the energy at which the limit or the hold is reached, where no more than energy
    counts.
    """

    kind: str
    terms: Terms
    bounds: Bounds
    switch_at: dt.datetime | None
    by_energy: Callable[[Wh], Minor] | None = field(compare=False)
    target_wh: int | None

    @classmethod
    def of(
        cls, kind: str, terms: Terms, bounds: Bounds, switch_at: dt.datetime | None = None
    ) -> "Deal":
        by_energy = total_by_energy(terms)
        target_wh = None
        if by_energy is not None:
            most_wh = MOST_WH if bounds.energy_wh is None else bounds.energy_wh
            target_wh = bisect_left(
                range(most_wh), bounds.hold_minor, key=lambda wh: by_energy(Wh(wh))
            )
        return cls(kind, terms, bounds, switch_at, by_energy, target_wh)

    def total(self, energy_at: EnergyAt, until: dt.datetime) -> Minor:
        """What the session costs by a moment, by the product's own pricing."""
        energy_wh = energy_at(until)
        if self.by_energy is not None:
            return self.by_energy(Wh(int(energy_wh)))
        moments = [EPOCH, max(EPOCH, until)]
        if self.switch_at is not None and EPOCH < self.switch_at < until:
            moments.insert(1, self.switch_at)
        return price(self.terms, _periods(moments, energy_at), UTC).total

    def is_reached(self, energy_at: EnergyAt, until: dt.datetime) -> bool:
        """Whether the limit or the hold is reached by a moment."""
        energy_wh = Wh(int(energy_at(until)))
        if self.target_wh is not None:
            is_over = self.bounds.ends_at is not None and until >= self.bounds.ends_at
            return energy_wh >= self.target_wh or is_over
        return self.bounds.are_reached(
            energy_wh=energy_wh, total=self.total(energy_at, until), soc=None, now=until
        )

    def charge(self, total: Minor) -> Minor:
        """What the driver pays: never more than the hold."""
        return min(total, self.bounds.hold_minor)


def crossing_s(deal: Deal, truth: Truth) -> float | None:
    """The second at which the limit is reached if nobody stops; None where it never is."""

    def is_reached(at_s: float) -> bool:
        return deal.is_reached(truth.energy_at, moment(at_s))

    low, high = 0.0, truth.knots[-1][0]
    if not is_reached(high):
        return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_reached(middle) else (middle, high)
    return high


def _periods(moments: Sequence[dt.datetime], energy_at: EnergyAt) -> list[Period]:
    energies = [Wh(int(energy_at(at))) for at in moments]
    energies[0] = Wh(0)
    return [
        Period(begin, end, Wh(max(0, after - before)))
        for begin, end, before, after in zip(
            moments, moments[1:], energies, energies[1:], strict=False
        )
    ]
