"""How much a station may deliver, and until when, should nobody be able to tell it to stop. Pure.

A plan is a few limits over time whose last one is zero. Whatever the car does, and whenever the
network goes, what flows under it ends at most `SLACK` past the limit: the sum of the limits is the
bound. From there it follows how tight the first limit must be. To end when the limit is reached at
the present power it may be what is drawn now and little more; where the power may still rise it is
the full power of the station, and the plan ends sooner, to be renewed as readings come.
"""

import datetime as dt
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

SLACK = 0.02
"""What may flow past the limit, as a share of it; the promise is 3 %, stations are not exact."""
BROKEN = 0.028
OVER = 0.01
SHORT = 0.001
HEADROOM = 1.03
"""How far above the highest power of late a limit is sure not to slow the car down."""
STEADY = 1.03
PRESSED = 0.985
"""A car that draws so much of its limit may want more."""
SLOWED = 0.75
TAPER_S = 8
TAPER = 0.25
GRACE_S = 13.0
"""No optional call leaves within 10 s of a stop, and its answer may take 3 s."""
REST_S = 20.0
"""How long a plan stands at least, unless it is about to end."""
WORTH, WORTH_S = 1.25, 30.0
"""A plan is renewed early where a new one lasts so much longer."""
SINGLE_PHASE_W = 7_700
"""Up to here a car may draw from one phase; stations divide limits by three."""
LEAST_W, LEAST_SINGLE_W = 4_200, 1_400
"""6 A on three phases, on one: a lower limit makes a station pause (IEC 61851-1)."""
HOUR_S = 3600


class Period(NamedTuple):
    start_s: int
    limit_w: int


@dataclass(frozen=True, slots=True)
class Aim:
    """Where the session must end: at an energy since its start, or at a moment. None is neither.

    Where time has a price the energy is that of the crossing at the present power.
    """

    energy_wh: int | None = None
    ends_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """How a session goes: the energy and power at a moment of our clock, and earlier powers."""

    at: dt.datetime
    energy_wh: int
    power_w: int
    recent_w: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of the station: its full power, how often it reports, what it obeys.

    `lag_s` is how long it takes to obey a zero. `ceilings` are limits that hold at the station
    anyway, from offsets in seconds of the plan; one of None limits nothing.
    """

    full_w: int
    interval_s: float
    max_periods: int | None = None
    lag_s: float = 0.0
    may_cap: bool = True
    ceilings: tuple[tuple[int, int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Limits from `starts_at` on; the last one is 0. A limit of `full_w` does not limit.

    Without `starts_at` it counts from the start of the transaction. `power_w` is what it expects.
    """

    starts_at: dt.datetime | None
    periods: tuple[Period, ...]
    power_w: int
    full_w: int

    @property
    def zero_s(self) -> int:
        return self.periods[-1].start_s

    @property
    def zero_at(self) -> dt.datetime:
        return self._begin + dt.timedelta(seconds=self.zero_s)

    @property
    def is_capped(self) -> bool:
        """Whether it holds the car below what the station can give."""
        return self.periods[0].limit_w < self.full_w

    def begun(self, at: dt.datetime) -> "Plan":
        """The same, counted from a start that is known now."""
        return self if self.starts_at else replace(self, starts_at=at)

    def limit_w(self, at: dt.datetime) -> int:
        passed_s = (at - self._begin).total_seconds()
        begun = [period for period in self.periods if period.start_s <= passed_s]
        return (begun[-1] if begun else self.periods[0]).limit_w

    def is_pressed(self, at: dt.datetime, power_w: int) -> bool:
        """Whether the car draws all that it may, and the station could give more."""
        limit_w = self.limit_w(at)
        return 0 < limit_w < self.full_w and power_w >= limit_w * PRESSED

    def energy_ws(self, since: dt.datetime, power_w: float) -> float:
        """What flows from a moment on, at a power where the limits let it."""
        since_s = (since - self._begin).total_seconds()
        return sum(
            min(limit_w, power_w) * (until_s - max(start_s, since_s))
            for start_s, until_s, limit_w in self._stretches()
            if until_s > since_s
        )

    def reached_at(self, since: dt.datetime, left_wh: float, power_w: int) -> dt.datetime | None:
        """When so much more has flowed at a power, under these limits; None: it never will."""
        left_ws, since_s = left_wh * HOUR_S, (since - self._begin).total_seconds()
        for start_s, until_s, limit_w in self._stretches():
            from_s, rate_w = max(start_s, since_s), min(limit_w, power_w)
            if until_s <= since_s or rate_w <= 0:
                continue
            if left_ws <= rate_w * (until_s - from_s):
                return self._begin + dt.timedelta(seconds=from_s + left_ws / rate_w)
            left_ws -= rate_w * (until_s - from_s)
        return None

    def to_json(self) -> dict[str, Any]:
        return {
            "starts_at": self.starts_at.isoformat() if self.starts_at else None,
            "periods": [list(period) for period in self.periods],
            "power_w": self.power_w,
            "full_w": self.full_w,
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Plan":
        starts_at = row["starts_at"]
        return cls(
            dt.datetime.fromisoformat(starts_at) if starts_at else None,
            tuple(Period(*period) for period in row["periods"]),
            row["power_w"],
            row["full_w"],
        )

    @property
    def _begin(self) -> dt.datetime:
        assert self.starts_at is not None
        return self.starts_at

    def _stretches(self) -> Iterator[tuple[int, int, int]]:
        """(from, until, limit) of what comes before the zero."""
        for one, following in itertools.pairwise(self.periods):
            yield one.start_s, following.start_s, one.limit_w


def first(*, aim: Aim, lasts_s: float | None, place: Place) -> Plan | None:
    """The plan that goes along with a start, counted from the start of the transaction.

    `lasts_s` is how long a time limit lasts. None where nothing bounds the charge, or the station
    takes no two periods.
    """
    epoch = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    ends_at = None if lasts_s is None else epoch + dt.timedelta(seconds=lasts_s)
    course = Course(epoch, 0, 0)
    made = make(course, replace(aim, ends_at=ends_at), place, starts_at=epoch)
    return made and replace(made, starts_at=None)


def make(
    course: Course,
    aim: Aim,
    place: Place,
    *,
    starts_at: dt.datetime,
    standing: Plan | None = None,
    is_loose: bool = False,
) -> Plan | None:
    """Plan from a reading on; the periods count from `starts_at`, which the reading precedes.

    `standing` is the plan that the power was drawn under. `is_loose`: limits near the power have
    slowed this car down. None where nothing bounds the charge.
    """
    if (aim.energy_wh is None and aim.ends_at is None) or place.max_periods == 1:
        return None
    if standing is not None and course.power_w <= 0 and course.at >= standing.zero_at:
        course = replace(course, power_w=standing.power_w)  # what it drew before its zero
    full_w = max(place.full_w, course.power_w, *course.recent_w, 1)
    sketch = _Sketch(course, aim, place, full_w, (starts_at - course.at).total_seconds())
    may_rise = is_loose or not place.may_cap or _may_rise(course, standing)
    periods = sketch.periods(full_w if may_rise else _comfort_w(course, full_w))
    merged = _under(periods, place.ceilings)
    if place.max_periods is not None and len(merged) > place.max_periods:
        return None
    return Plan(starts_at, merged, course.power_w, full_w)


def is_stale(plan: Plan, course: Course, aim: Aim, *, interval_s: float) -> bool:
    """Whether a plan must be renewed after a reading, while that may be sent.

    It must when it would let too much flow, or end the charge too early before the next reading
    can tell; and it is worth it when a new one would last much longer, or the car presses against
    its limit.
    """
    at, power_w = course.at, course.power_w
    if at >= plan.zero_at:
        return True
    if aim.ends_at is not None and plan.zero_at > aim.ends_at + dt.timedelta(seconds=2):
        return True
    if aim.energy_wh is None:
        return aim.ends_at is not None and plan.zero_at < aim.ends_at - dt.timedelta(seconds=2)
    target_ws = aim.energy_wh * HOUR_S
    left_ws = target_ws - course.energy_wh * HOUR_S
    lasts_s = (plan.zero_at - at).total_seconds()
    if power_w and min(left_ws / power_w, _until(aim, at)) <= GRACE_S:
        return False  # too late: the stop is on its way
    most_ws = plan.energy_ws(at, max(plan.full_w, power_w)) - left_ws
    over_ws = plan.energy_ws(at, power_w) - left_ws
    if most_ws > BROKEN * target_ws or over_ws > OVER * target_ws or plan.is_pressed(at, power_w):
        return True
    if -over_ws <= SHORT * target_ws or plan.zero_at >= _end(aim, plan.zero_at):
        return False
    span_s = _span_s(plan, course, left_ws=left_ws, target_ws=target_ws)
    gain_s = min(span_s, _until(aim, at)) - lasts_s * WORTH
    return lasts_s < interval_s + GRACE_S or gain_s > WORTH_S


def power_of(told_w: float | None, rate_w: float | None) -> float | None:
    """The power of a reading; a told one that is far below the rate has another unit, or is old."""
    if told_w is None or (rate_w is not None and told_w < rate_w / 2):
        return rate_w
    return told_w


def is_done(plan: Plan, course: Course, aim: Aim) -> bool:
    """Whether a plan has ended the charge so near its limit that nothing can be sent before it."""
    if aim.energy_wh is None or course.at < plan.zero_at:
        return False
    return (aim.energy_wh - course.energy_wh) * HOUR_S <= max(plan.power_w, 1) * GRACE_S


@dataclass(frozen=True, slots=True)
class Watch:
    """What tells of a running session, without a row, that its plan has to be looked at.

    `not_before`: until then nothing can be done about it. `sent_at` is when the plan was sent,
    `seen_w` the power of the reading before.
    """

    plan: Plan | None
    aim: Aim
    interval_s: float
    sent_at: dt.datetime | None = None
    not_before: dt.datetime | None = None
    seen_w: int = 0

    def is_due(self, *, at: dt.datetime, energy_wh: int, power_w: float | None) -> bool:
        if self.not_before is not None and at < self.not_before:
            return False
        if self.plan is None or power_w is None:
            return True
        course = Course(at, energy_wh, max(0, round(power_w)), (self.seen_w,))
        if self.is_slowed(course):
            return True
        if self._rests(self.plan, at):
            return False
        return is_stale(self.plan, course, self.aim, interval_s=self.interval_s)

    def is_slowed(self, course: Course) -> bool:
        """Whether the car draws much less since a limit near its power came."""
        plan, sent_at = self.plan, self.sent_at
        if plan is None or sent_at is None or not plan.is_capped or course.at >= plan.zero_at:
            return False
        is_new = (course.at - sent_at).total_seconds() <= 2 * self.interval_s + REST_S
        is_full = plan.limit_w(course.at) == plan.periods[0].limit_w  # not in the last step
        return is_new and is_full and 0 < course.power_w < plan.power_w * SLOWED

    def _rests(self, plan: Plan, at: dt.datetime) -> bool:
        """Whether a plan was sent a moment ago, and lasts until the next look."""
        if self.sent_at is None or (at - self.sent_at).total_seconds() >= REST_S:
            return False
        return (plan.zero_at - at).total_seconds() > REST_S + self.interval_s + GRACE_S


def _may_rise(course: Course, standing: Plan | None) -> bool:
    """Whether more power may come than was seen: nothing is known, it rises, or it is held down."""
    if not course.recent_w or course.power_w <= 0:
        return True
    if standing is not None and standing.is_pressed(course.at, course.power_w):
        return True
    return course.power_w > course.recent_w[-1] * STEADY


def _comfort_w(course: Course, full_w: int) -> int:
    """The least limit that surely does not slow the car down."""
    highest_w = max(course.power_w, *course.recent_w)
    phases = 3 if highest_w <= SINGLE_PHASE_W < full_w else 1
    return min(full_w, max(_least_w(full_w), math.ceil(highest_w * HEADROOM) * phases))


def _least_w(full_w: int) -> int:
    return min(full_w, LEAST_W if full_w > SINGLE_PHASE_W else LEAST_SINGLE_W)


def _until(aim: Aim, at: dt.datetime) -> float:
    return math.inf if aim.ends_at is None else (aim.ends_at - at).total_seconds()


def _end(aim: Aim, default: dt.datetime) -> dt.datetime:
    return default + dt.timedelta(days=1) if aim.ends_at is None else aim.ends_at


def _span_s(plan: Plan, course: Course, *, left_ws: float, target_ws: float) -> float:
    """How long about a new plan would last."""
    known = replace(course, recent_w=(*course.recent_w, plan.power_w)) if plan.power_w else course
    comfort_w = plan.full_w if _may_rise(known, plan) else _comfort_w(course, plan.full_w)
    end_s = left_ws / course.power_w if course.power_w else math.inf
    return min(end_s, (left_ws + SLACK * target_ws) / comfort_w)


@dataclass(frozen=True, slots=True)
class _Sketch:
    """The arithmetic of one plan. Seconds count from the reading, `offset_s` is where it starts."""

    course: Course
    aim: Aim
    place: Place
    full_w: int
    offset_s: float
    left_ws: float = field(init=False, default=math.inf)
    most_ws: float = field(init=False, default=math.inf)

    def __post_init__(self) -> None:
        if self.aim.energy_wh is not None:
            left_ws = max(0.0, float(self.aim.energy_wh - self.course.energy_wh) * HOUR_S)
            object.__setattr__(self, "left_ws", left_ws)
            most_ws = left_ws + SLACK * self.aim.energy_wh * HOUR_S
            object.__setattr__(self, "most_ws", most_ws)

    def periods(self, comfort_w: int) -> tuple[Period, ...]:
        """As long as the comfortable limit allows, at least until the next reading is heard.

        Never longer than the limit takes at the present power: so the limit that keeps the bound
        is above that power.
        """
        end_s = self._end_s
        needed_s = self.place.interval_s + GRACE_S
        energy_s = min(end_s, max(self.most_ws / comfort_w, needed_s))
        until_s = _until(self.aim, self.course.at)
        if energy_s == end_s < until_s and self._may_taper(end_s):
            return self._tapered(end_s)
        is_exact = energy_s == end_s < until_s
        zero_s = min(energy_s, until_s) - self.place.lag_s - self.offset_s
        zero = max(1, math.ceil(zero_s) if is_exact else math.floor(zero_s))
        return (Period(0, self._cap_w(self.most_ws, zero + self.offset_s)), Period(zero, 0))

    @property
    def _end_s(self) -> float:
        """When the limit is reached at the present power."""
        return self.left_ws / self.course.power_w if self.course.power_w else math.inf

    def _cap_w(self, energy_ws: float, within_s: float) -> int:
        """The limit under which no more than an energy flows; it stops nothing by itself."""
        lasts_s = within_s + self.place.lag_s
        if not math.isfinite(energy_ws) or lasts_s <= 0 or energy_ws / lasts_s >= self.full_w:
            return self.full_w
        least_w = max(_least_w(self.full_w), math.ceil(self.course.power_w * (1 + SLACK)))
        return min(self.full_w, max(math.floor(energy_ws / lasts_s), least_w))

    @property
    def _taper_w(self) -> float:
        return max(self.course.power_w * TAPER, _least_w(self.full_w))

    def _may_taper(self, end_s: float) -> bool:
        """Whether there is a lower step that the station obeys, and time for it."""
        has_room = self.place.max_periods is None or self.place.max_periods >= 3
        is_low = self._taper_w <= self.course.power_w * 0.7
        return has_room and self.place.may_cap and is_low and end_s > self.offset_s + 3 * TAPER_S

    def _tapered(self, end_s: float) -> tuple[Period, ...]:
        """A last step at lower power, between whole seconds, in which just the rest flows.

        The zero comes a second after: while the network is there the stop ends it.
        """
        power_w, lag_s = self.course.power_w, self.place.lag_s
        step_s = math.floor(end_s - TAPER_S * self._taper_w / power_w - self.offset_s)
        rest_ws = self.left_ws - power_w * (step_s + self.offset_s)
        lasts_s = max(1, math.ceil(rest_ws / self._taper_w - lag_s))
        taper_w = math.ceil(rest_ws / (lasts_s + lag_s))
        zero_s = step_s + lasts_s + 1
        spare_ws = self.most_ws - taper_w * (lasts_s + 1 + lag_s)
        cap_w = self._cap_w(spare_ws, step_s + self.offset_s - lag_s)
        return (Period(0, cap_w), Period(step_s, taper_w), Period(zero_s, 0))


def _under(
    periods: Sequence[Period], ceilings: Sequence[tuple[int, int | None]]
) -> tuple[Period, ...]:
    """The periods, nowhere above what holds at the station anyway; the zero stays the last."""
    zero_s = periods[-1].start_s
    starts = {period.start_s for period in periods} | {max(0, start) for start, _ in ceilings}
    merged: list[Period] = []
    for start_s in sorted(start for start in starts if start <= zero_s):
        own_w = [period.limit_w for period in periods if period.start_s <= start_s][-1]
        over = [limit for start, limit in ceilings if start <= start_s]
        limit_w = own_w if not over or over[-1] is None else min(own_w, over[-1])
        if not merged or merged[-1].limit_w != limit_w or start_s == zero_s:
            merged.append(Period(start_s, limit_w))
    return tuple(merged)
