"""A running session as its next sample meets it: no row is read for what keeps the rules. Pure.

A socket keeps one of these for each session that runs over it, made from the row. `advance` says
what one more sample changes, or None wherever anything is unusual: a meter that bends the rules, a
limit that is reached or nearly used, a clock that tells something new, several moments in one
message. Then the whole use case (services/meter) does it, under the session's lock. What is stored
is bound to the row's version, so a session that moved meanwhile is never written over.
"""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from billing.energy import Wh, round_wh
from billing.money import Minor

from . import outlook
from .bounds import Bounds
from .facts import Metered, Sample
from .outlook import Course, Outlook, Point
from .placing import Meter, Told, place
from .profile_plan import Watch, power_of

Price = Callable[[Wh], Minor]
"""The total of so many Wh; for a tariff that asks for nothing else."""


class StationFacts(NamedTuple):
    """What of a station's row decides how samples are read; it has no version of its own."""

    clock_offset_s: float | None
    max_power_kw: Decimal | None
    meter_said_at: dt.datetime | None


class Onward(NamedTuple):
    """How a session goes on after a step."""

    course: Course
    outlook: Outlook


class Step(NamedTuple):
    """What one sample changes, bound to the version of the row that it was judged by.

    The fields after `stop_at` are the reading. All but the last are the columns of one statement:
    see services/tracking.
    """

    session_id: uuid.UUID
    version: int
    register_wh: Decimal
    energy_wh: Wh
    cost_minor: Minor
    heard_at: dt.datetime
    due_at: dt.datetime
    stop_at: dt.datetime | None
    station_pk: int
    connector_id: int
    at: dt.datetime
    received_at: dt.datetime
    power_w: Decimal | None
    soc: Decimal | None
    context: str
    flags: str
    frame_id: uuid.UUID | None
    onward: Onward


BACKUP_AFTER = dt.timedelta(seconds=2)
"""The worker stops a session that its socket's process should have stopped so long ago."""

PLAIN, IN_KWH = "[]", '["kWh"]'
"""The flags of a reading that was taken as it was labelled, in Wh or in kWh, as JSON."""


@dataclass(slots=True)
class Running:
    """A session that charges, delivers by a meter that keeps the rules, and pays for energy only.

    `last_at` is the latest moment that is stored of it, `silent_after` how long it may say nothing,
    `target_wh` the energy at which the first of its bounds is reached.
    """

    session_id: uuid.UUID
    version: int
    transaction_id: int
    station_pk: int
    connector_id: int
    facts: StationFacts
    started_at: dt.datetime
    meter_start_at: dt.datetime
    start_wh: Decimal
    last_wh: Decimal
    last_at: dt.datetime
    heard_at: dt.datetime
    due_at: dt.datetime
    silent_after: dt.timedelta
    power_kw: Decimal
    bounds: Bounds
    price: Price
    course: Course
    target_wh: float | None
    interval_s: float
    latency_s: float
    soc: Decimal | None = None
    watch: Watch | None = None
    warning: Bounds | None = None

    def advance(self, fact: Metered, *, least_gain_s: float) -> Step | None:
        """Return what a message changes, or None where the whole use case must see it.

        `least_gain_s` is how much better than the known offset of the station's clock a message
        must be to say something new of it. Changes nothing here: `take` does, once it is stored.
        """
        if len(fact.samples) != 1:
            return None
        sample = fact.samples[0]
        register_wh = self._placed(sample, fact.received_at)
        if register_wh is None or self._tells_time(sample, fact.received_at, least_gain_s):
            return None
        energy_wh = round_wh(register_wh - self.start_wh)
        total = self.price(energy_wh)
        now = fact.received_at
        if self._is_told_of(sample, energy_wh, total, now) or (
            self.watch and self._is_watch_due(self.watch, sample, register_wh, energy_wh)
        ):
            return None
        onward = self._onward(sample, energy_wh, now)
        stop_at = onward.outlook.stop_at
        if stop_at is not None and stop_at <= now:
            return None
        heard_at = max(fact.received_at, self.heard_at)
        return Step(
            self.session_id,
            self.version,
            register_wh,
            energy_wh,
            total,
            heard_at,
            self._due_at(heard_at, stop_at),
            stop_at,
            self.station_pk,
            self.connector_id,
            sample.at,
            fact.received_at,
            sample.power_w,
            sample.soc,
            sample.context,
            IN_KWH if sample.is_kwh else PLAIN,
            fact.frame_id,
            onward,
        )

    def take(self, step: Step) -> None:
        """Go on from a step that was stored."""
        self.version = step.version + 1
        self.last_wh, self.last_at = step.register_wh, step.at
        self.heard_at, self.due_at = step.heard_at, step.due_at
        self.course = step.onward.course

    def _onward(self, sample: Sample, energy_wh: Wh, received_at: dt.datetime) -> Onward:
        power_w = None if sample.power_w is None else float(sample.power_w)
        at = outlook.our_time(
            sample.at, received_at, started_at=self.started_at, meter_start_at=self.meter_start_at
        )
        course = outlook.after(self.course, Point(at, float(energy_wh), power_w))
        plan = self.watch.plan if self.watch else None
        used_up_at = outlook.crossing_of(course, self.target_wh, now=received_at, plan=plan)
        crossings = [at for at in (self.bounds.ends_at, used_up_at) if at is not None]
        seen = outlook.look(
            course,
            crossing_at=min(crossings, default=None),
            interval_s=self.interval_s,
            latency_s=self.latency_s,
        )
        return Onward(course, seen)

    def _placed(self, sample: Sample, received_at: dt.datetime) -> Decimal | None:
        """The register of a sample that goes on from the last one as it is labelled, else None."""
        told_wh = sample.register_wh
        if told_wh is None or sample.flags or told_wh < self.last_wh or sample.at <= self.last_at:
            return None
        if self.bounds.soc is not None and sample.soc != self.soc:
            return None  # each per cent tells more of how much energy one of them takes
        if sample.is_kwh and not self._is_surely_kwh(sample, received_at):
            return None
        return told_wh

    def _is_surely_kwh(self, sample: Sample, received_at: dt.datetime) -> bool:
        """Whether a register that is labelled kWh can be nothing else."""
        assert sample.register_wh is not None
        elapsed = max(received_at - self.started_at, sample.at - self.meter_start_at)
        told = Told(sample.register_wh, sample.is_kwh, sample.at, sample.power_w)
        meter = Meter(
            start_wh=self.start_wh,
            last_wh=self.last_wh,
            power_kw=self.power_kw,
            elapsed=elapsed,
            is_power_stated=bool(self.facts.max_power_kw),
        )
        placed = place(told, meter)
        return placed.register_wh == told.register_wh and not placed.quirks

    def _is_told_of(self, sample: Sample, energy_wh: Wh, total: Minor, now: dt.datetime) -> bool:
        """Whether a bound is reached, or so nearly that the driver is told, once."""
        if self.bounds.are_reached(energy_wh=energy_wh, total=total, soc=sample.soc, now=now):
            return True
        warning = self.warning
        return warning is not None and warning.are_reached(
            energy_wh=energy_wh, total=total, soc=None, now=now
        )

    def _is_watch_due(
        self, watch: Watch, sample: Sample, register_wh: Decimal, energy_wh: Wh
    ) -> bool:
        """Whether the limit at the station itself must be looked at (services/backstop)."""
        since_s = (sample.at - self.last_at).total_seconds()
        rate_w = float(register_wh - self.last_wh) * 3600 / since_s if since_s >= 5 else None
        told_w = None if sample.power_w is None else float(sample.power_w)
        at = self.started_at + (sample.at - self.meter_start_at)
        return watch.is_due(at=at, energy_wh=energy_wh, power_w=power_of(told_w, rate_w))

    def _tells_time(self, sample: Sample, received_at: dt.datetime, least_gain_s: float) -> bool:
        """Whether a message says something new of the station's clock."""
        known_s = self.facts.clock_offset_s
        return (
            known_s is None or (received_at - sample.at).total_seconds() <= known_s - least_gain_s
        )

    def _due_at(self, heard_at: dt.datetime, stop_at: dt.datetime | None) -> dt.datetime:
        """When the worker must look next, if nothing is heard until then.

        It is moved when half of the time is over: a row whose indexed columns stay as they are is
        written at a fraction of the cost, and a worker that comes early looks and goes.
        """
        due_at = heard_at + self.silent_after
        if stop_at is not None:
            due_at = min(due_at, stop_at + BACKUP_AFTER)
        is_far = heard_at + (due_at - heard_at) / 2 <= self.due_at <= due_at
        return self.due_at if is_far else due_at
