"""A car that charges: how much power it takes, moment by moment, and what flows into it."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

GRID_S = 5.0
"""The power wobbles from one step of this grid to the next, and is even within one."""
RAMP_STEP_S = 0.5
S_AN_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Car:
    """A kind of car. `curve` is the share of `max_w` that it takes, by its state of charge.

    It comes up to its power in `ramp_s`; `wobble` is how far its power strays, as a share.
    """

    name: str
    max_w: float
    battery_wh: float
    curve: tuple[tuple[float, float], ...]
    ramp_s: float
    wobble: float

    def share(self, soc: float) -> float:
        """The share of its most power at a state of charge between 0 and 1."""
        for (low, before), (high, after) in pairwise(self.curve):
            if low <= soc < high:
                return before + (after - before) * (soc - low) / (high - low)
        return 0.0 if soc >= 1 else self.curve[-1][1]


@dataclass(frozen=True, slots=True)
class Visit:
    """One car at one station: what it will take if nobody interferes.

    `offers` and `derates` are steps (from second, share): what is left of the station's power
    beside another car, and of the car's own when it is hot.
    """

    car: Car
    soc: float
    station_w: float
    wobbles: tuple[float, ...]
    offers: tuple[tuple[float, float], ...] = ()
    derates: tuple[tuple[float, float], ...] = ()


@dataclass(slots=True)
class Flow:
    """The energy that went into a car so far; it only goes forward.

    `limits` are steps (from second, W) that the station puts on it; the last one stays.
    """

    visit: Visit
    at_s: float = 0.0
    energy_wh: float = 0.0
    limits: Sequence[tuple[float, float]] = ()
    is_open: bool = True
    knots: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.0)])

    @property
    def soc(self) -> float:
        return min(1.0, self.visit.soc + self.energy_wh / self.visit.car.battery_wh)

    def power_w(self) -> float:
        """What flows now."""
        return self._power_w(self.at_s, self.energy_wh)

    def advance(self, until_s: float) -> None:
        """Let power flow until a moment."""
        while self.at_s < until_s:
            step_s = min(until_s, self._next_change_s()) - self.at_s
            middle_s = self.at_s + step_s / 2
            first_wh = self._power_w(middle_s, self.energy_wh) * step_s / 2 / S_AN_HOUR
            power_w = self._power_w(middle_s, self.energy_wh + first_wh)
            self.energy_wh += power_w * step_s / S_AN_HOUR
            self.at_s += step_s
            self.knots.append((self.at_s, self.energy_wh))

    def close(self) -> None:
        """The contactor opens: nothing flows any more."""
        self.is_open = False

    def _power_w(self, at_s: float, energy_wh: float) -> float:
        visit = self.visit
        soc = visit.soc + energy_wh / visit.car.battery_wh
        if not self.is_open or soc >= 1:
            return 0.0
        ramp = min(1.0, at_s / visit.car.ramp_s) if visit.car.ramp_s else 1.0
        wobble = visit.wobbles[int(at_s / GRID_S) % len(visit.wobbles)]
        asked_w = visit.car.max_w * visit.car.share(soc) * step_at(visit.derates, at_s, 1.0)
        offered_w = visit.station_w * step_at(visit.offers, at_s, 1.0)
        power_w = min(asked_w, offered_w) * ramp * (1 - wobble)
        return min(power_w, step_at(self.limits, at_s, power_w))

    def _next_change_s(self) -> float:
        """The next moment at which power may jump."""
        now_s = self.at_s + 1e-9
        nearest_s = (int(now_s / GRID_S) + 1) * GRID_S
        if self.at_s < self.visit.car.ramp_s:
            nearest_s = min(nearest_s, self.at_s + RAMP_STEP_S, self.visit.car.ramp_s)
        for steps in (self.visit.offers, self.visit.derates, self.limits):
            index = bisect_right(steps, now_s, key=lambda step: step[0])
            if index < len(steps):
                nearest_s = min(nearest_s, steps[index][0])
        return nearest_s


def step_at(steps: Sequence[tuple[float, float]], at_s: float, before: float) -> float:
    """The value of the step that holds at a moment; `before` where none has begun."""
    index = bisect_right(steps, at_s, key=lambda step: step[0])
    return steps[index - 1][1] if index else before
