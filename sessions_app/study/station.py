"""A station as its maker built it: its register, its clock, its samples, how it obeys."""

import datetime as dt
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from .agenda import Agenda
from .car import S_AN_HOUR, Flow
from .truth import EPOCH, Truth

DUST = 1e-6
"""What adding up floats may lose."""
POWER_OVER_S = 0.5
"""The power that a meter shows is the mean of so long."""


@dataclass(frozen=True, slots=True)
class Register:
    """How a meter counts: in steps of `step_wh`, told every so often by itself or not at all."""

    name: str
    step_wh: Decimal

    def shown_wh(self, energy_wh: float) -> Decimal:
        """What it shows: whole steps, never more than was delivered."""
        return Decimal(math.floor(energy_wh / float(self.step_wh) + DUST)) * self.step_wh


@dataclass(frozen=True, slots=True)
class Make:
    """What is true of one station. Times in seconds; `stamp_s` is the grain of its clock.

    After a stop has come, power flows for about `latency_s` more, give or take the share `jitter`.
    `deaf` is the share of stops that it forgets. It looks at its meter every `refresh_s`, and tells
    `power_told` of the power that its register counts, to `power_step_w`. `trigger` is what it does
    when it is asked for a sample: send one, send its last one again, or nothing.
    """

    power_w: float
    interval_s: float
    register: Register
    refresh_s: float
    has_power: bool
    power_told: float
    power_step_w: int
    stamp_s: float
    clock_off_s: float
    latency_s: float
    jitter: float
    deaf: float
    trigger: Literal["fresh", "cached", "none"]
    obeys_profiles: bool
    profile_lag_s: float


@dataclass(frozen=True, slots=True)
class Sample:
    """What a station tells of one moment, by its own clock."""

    stamped_at: dt.datetime
    register_wh: Decimal
    power_w: Decimal | None


class Station:
    """One session at one station. It begins at 0 s; `tell` and `ended` are its messages."""

    def __init__(
        self,
        make: Make,
        flow: Flow,
        agenda: Agenda,
        *,
        chance: random.Random,
        start_wh: float,
        tell: Callable[[Sample], None],
        ended: Callable[[Sample], None],
    ) -> None:
        self.make, self.flow = make, flow
        self._agenda, self._chance = agenda, chance
        self._start_wh = start_wh
        self._tell, self._ended = tell, ended
        self._is_ending = False
        self.is_over = False
        self._last: Sample | None = None
        self.stopped_s: float | None = None
        self._next_sample(1)

    def begins_with(self) -> Sample:
        """What StartTransaction says."""
        return self._sample()

    def stop(self) -> None:
        """A RemoteStop has come."""
        if self._is_ending or self._chance.random() < self.make.deaf:
            return
        self._is_ending = True
        spread = self._chance.gauss(1, self.make.jitter)
        latency_s = self.make.latency_s * min(max(spread, 0.5), 2.0)
        self._agenda.at(self._agenda.now_s + latency_s, self._end)

    def unplug(self) -> None:
        """The driver ends it at the station."""
        if not self._is_ending:
            self._is_ending = True
            self._end()

    def trigger(self) -> None:
        """A TriggerMessage for MeterValues has come."""
        lag_s = self._chance.uniform(0.05, 0.6)
        if self.make.trigger == "fresh":
            self._agenda.at(self._agenda.now_s + lag_s, self._take_sample)
        elif self.make.trigger == "cached" and self._last is not None:
            self._tell(self._last)

    def limit(self, steps: tuple[tuple[float, float], ...]) -> None:
        """A TxProfile has come: (second of the session by its own clock, W)."""
        if self.make.obeys_profiles and not self.is_over:
            lag_s = self.make.profile_lag_s
            now_s = self._agenda.now_s
            self._flow_to_now()
            known = [step for step in self.flow.limits if step[0] < now_s + lag_s]
            asked = [(max(at, now_s) + lag_s, power_w) for at, power_w in steps]
            self.flow.limits = (*known, *asked)

    def _next_sample(self, number: int) -> None:
        self._agenda.at(number * self.make.interval_s, lambda: self._periodic(number))

    def _periodic(self, number: int) -> None:
        if not self.is_over:
            self._take_sample()
            self._next_sample(number + 1)

    def _take_sample(self) -> None:
        if not self.is_over:
            self._last = self._sample()
            self._tell(self._last)

    def _end(self) -> None:
        """Nothing flows from here on."""
        self._flow_to_now()
        self.flow.close()
        self.is_over = True
        self.stopped_s = self._agenda.now_s
        self._ended(self._sample(is_final=True))

    def _flow_to_now(self) -> None:
        self.flow.advance(self._agenda.now_s)

    def _sample(self, *, is_final: bool = False) -> Sample:
        """What the meter shows, as it was when the station looked at it last."""
        self._flow_to_now()
        now_s, every_s = self._agenda.now_s, self.make.refresh_s
        seen_s = now_s if is_final or not every_s else math.floor(now_s / every_s) * every_s
        truth = Truth(self.flow.knots)
        energy_wh = truth.energy_wh(seen_s)
        return Sample(
            stamped_at=self.stamp(now_s),
            register_wh=self.make.register.shown_wh(self._start_wh + energy_wh),
            power_w=self._power_w(energy_wh - truth.energy_wh(max(0.0, seen_s - POWER_OVER_S))),
        )

    def _power_w(self, lately_wh: float) -> Decimal | None:
        if not self.make.has_power:
            return None
        power_w = lately_wh * S_AN_HOUR / POWER_OVER_S * self.make.power_told
        return Decimal(round(power_w / self.make.power_step_w) * self.make.power_step_w)

    def stamp(self, moment_s: float) -> dt.datetime:
        """A moment by its own clock, which is off and counts in its grain."""
        told_s = moment_s + self.make.clock_off_s
        if self.make.stamp_s:
            told_s = math.floor(told_s / self.make.stamp_s) * self.make.stamp_s
        return EPOCH + dt.timedelta(seconds=told_s)
