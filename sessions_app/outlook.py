"""How a session goes on from what its meter told: when it reaches its limit, when to stop it. Pure.

A `Course` is taken further by each reading. `look` says when the limit will be reached, when the
stop must leave so that delivery ends there, and when a fresh sample is worth asking for. Floats
are right here: nothing of this is billed.
"""

import datetime as dt
from typing import NamedTuple

from .profile_plan import Plan

HOUR_S = 3600.0
FARTHEST = dt.timedelta(days=2)
LEAST_SPAN_S = 5.0
"""A rate over less is the noise of clocks."""
GRAINS = 10
"""A rate is measured over so many steps of the register: it is right within 10 %."""
COARSEST_WH = 100.0
LONG_SPAN_S = 300.0
"""A rate over so much time counts though the register made fewer steps."""
STEADY = 0.2
"""Powers that differ by no more than this share are one power that goes on."""
TRUSTED = 0.1
"""A told power that differs from the register by no more is taken as it is told."""
FIRST_ASK_S = 5.0
"""After the start: most cars draw by then, and the first regular sample may be far."""
LAST_ASK_S = 13.0
"""Before the stop: a call may wait 3 s for its answer, and none may be on its way within 10 s."""
LEAST_GAP_S = 3.0
STALE = dt.timedelta(seconds=60)
"""How late a point may come, and still be gone on from."""
COARSE = dt.timedelta(seconds=2)
LONGEST_GAP_S = 900.0
"""A station that sent nothing for longer was away, and does not sample so seldom."""


class Point(NamedTuple):
    """One moment of the meter: our time of it, Wh since the start, and W where it was told."""

    at: dt.datetime
    energy_wh: float
    power_w: float | None = None


class Course(NamedTuple):
    """How a session delivers: its last point, and the power at which it goes on from there.

    `told_w` is the last power that was told, `trust` what the register made of it. `older` and
    `newer` are where rates are measured from, `grain_wh` is the step of the register, `gap_s` the
    time between the last two points.
    """

    last: Point
    power_w: float
    full_w: float
    is_steady: bool
    is_measured: bool
    told_w: float | None
    trust: float
    older: Point
    newer: Point
    grain_wh: float
    gap_s: float

    @property
    def worst_w(self) -> float:
        """The most that it may deliver until the next sample: while power rises, all there is."""
        return self.power_w if self.is_steady else max(self.power_w, self.full_w)


class Outlook(NamedTuple):
    """What is to be expected: None is never, or nothing to do."""

    crossing_at: dt.datetime | None
    stop_at: dt.datetime | None
    ask_at: dt.datetime | None


def our_time(
    at: dt.datetime,
    received_at: dt.datetime,
    *,
    started_at: dt.datetime,
    meter_start_at: dt.datetime,
) -> dt.datetime:
    """When a sample was taken, by our clock: never later than it came.

    The station's clock tells it by the time since the start. Where it tells whole seconds only,
    a sample that came as soon as that is as old as its message.
    """
    try:
        moment = started_at + (at - meter_start_at)
    except OverflowError:
        return received_at
    is_coarse = not at.microsecond and not meter_start_at.microsecond
    if moment > received_at or (is_coarse and received_at - moment <= COARSE):
        return received_at
    return max(moment, started_at)


def begin(at: dt.datetime, full_w: float) -> Course:
    """The course of a session that has told nothing yet: at full power (design section 5)."""
    start = Point(at, 0.0)
    return Course(start, full_w, full_w, False, False, None, 1.0, start, start, COARSEST_WH, 0.0)


def after(course: Course, point: Point) -> Course:
    """Take a course further by a later point; an older one changes nothing.

    Of several in one tick of the station's clock the highest counts.
    """
    last = course.last
    span_s = (point.at - last.at).total_seconds()
    if span_s <= 0:
        is_higher = span_s == 0 and point.energy_wh > last.energy_wh
        return course._replace(last=point) if is_higher else course
    grain_wh = _grain(course.grain_wh, point.energy_wh)
    trust = _trust(course, point, span_s, grain_wh)
    power_w = _power(course, point, trust, grain_wh)
    is_steady = course.is_measured and _are_alike(course.power_w, power_w)
    older, newer = course.older, course.newer
    if _is_telling(newer, point, grain_wh):
        older, newer = newer, point
    return Course(
        point,
        power_w,
        course.full_w,
        is_steady,
        True,
        point.power_w,
        trust,
        older,
        newer,
        grain_wh,
        span_s,
    )


def look(
    course: Course,
    *,
    crossing_at: dt.datetime | None,
    interval_s: float,
    latency_s: float,
) -> Outlook:
    """Say when to stop and when to ask, for a limit that is reached at `crossing_at`.

    `interval_s` is how often samples come by themselves, `latency_s` how long delivery goes on
    after we decide to stop it.
    """
    last_at = course.last.at
    left_s = stop_at = None
    if crossing_at is not None:
        left_s = (crossing_at - last_at).total_seconds()
        stop_at = crossing_at - dt.timedelta(seconds=latency_s)
    ask_s = _ask_s(course, left_s, latency_s, interval_s)
    ask_at = None if ask_s is None else last_at + dt.timedelta(seconds=ask_s)
    return Outlook(crossing_at, stop_at, ask_at)


def crossing_of(
    course: Course, target_wh: float | None, *, now: dt.datetime, plan: Plan | None = None
) -> dt.datetime | None:
    """When so much energy will have been delivered; None for never, and where nobody knows.

    `plan` is what holds at the station itself: its last step is lower, so the end comes later.
    """
    if target_wh is None or is_stale(course, now):
        return None
    left_wh = target_wh - course.last.energy_wh
    if left_wh <= 0:
        return course.last.at
    if course.power_w <= 0:
        return None
    if plan is not None and plan.starts_at is not None:
        reached_at = plan.reached_at(course.last.at, left_wh, round(course.power_w))
        if reached_at is not None:
            return reached_at
    left_s = left_wh * HOUR_S / course.power_w
    if left_s > FARTHEST.total_seconds():
        return None
    return course.last.at + dt.timedelta(seconds=left_s)


def is_stale(course: Course, now: dt.datetime) -> bool:
    """Whether its last point says nothing of now: one of a queue, of which others will follow."""
    return now - course.last.at > STALE


def energy_at(course: Course, at: dt.datetime) -> float:
    """What will have been delivered by a moment, in Wh."""
    passed_s = max(0.0, (at - course.last.at).total_seconds())
    return course.last.energy_wh + course.power_w * passed_s / HOUR_S


def _ask_s(
    course: Course, left_s: float | None, latency_s: float, interval_s: float
) -> float | None:
    """Return how long after the last point to ask: when half of what is left will have passed.

    None where a sample comes by itself before, and where nothing is to be known. So each answer
    halves what is not known, down to the last moment at which a call may go out. While power
    rises, what is left is judged at full power.
    """
    if not course.is_measured:
        ask_s = FIRST_ASK_S
    elif left_s is None:
        if course.is_steady:
            return None
        ask_s = FIRST_ASK_S
    else:
        worst_w = course.worst_w
        share = course.power_w / worst_w if worst_w > 0 else 1.0
        ask_s = max(left_s * share / 2, FIRST_ASK_S)
    if left_s is not None:
        ask_s = min(ask_s, left_s - latency_s - LAST_ASK_S)
    comes_s = max(interval_s, min(course.gap_s, LONGEST_GAP_S))
    return ask_s if LEAST_GAP_S <= ask_s < comes_s - LEAST_GAP_S else None


def _grain(known_wh: float, energy_wh: float) -> float:
    """The largest power of ten, at most the known one, that the register steps by."""
    while known_wh > 1.0 and energy_wh % known_wh:
        known_wh /= 10
    return known_wh


def _is_telling(since: Point, point: Point, grain_wh: float) -> bool:
    """Whether the rate between two points is known well enough."""
    span_s = (point.at - since.at).total_seconds()
    if span_s < LEAST_SPAN_S:
        return False
    return point.energy_wh - since.energy_wh >= GRAINS * grain_wh or span_s >= LONG_SPAN_S


def _rate(since: Point, point: Point) -> float:
    span_s = (point.at - since.at).total_seconds()
    return max(0.0, point.energy_wh - since.energy_wh) * HOUR_S / span_s


def _power(course: Course, point: Point, trust: float, grain_wh: float) -> float:
    """The power from here on: as it was told, else as the register shows it."""
    if point.power_w is not None and trust > 0:
        return max(0.0, point.power_w) * trust
    for since in (course.newer, course.older):
        if _is_telling(since, point, grain_wh):
            return _rate(since, point)
    return min(course.power_w, _most(course.older, point, grain_wh))


def _most(since: Point, point: Point, grain_wh: float) -> float:
    """The most that the power can have been, with the step that the register had almost made."""
    span_s = (point.at - since.at).total_seconds()
    gained_wh = max(0.0, point.energy_wh - since.energy_wh) + grain_wh
    return gained_wh * HOUR_S / max(span_s, LEAST_SPAN_S)


def _trust(course: Course, point: Point, span_s: float, grain_wh: float) -> float:
    """What the register makes of the power that is told: 1 where they agree, 0 for no power at all.

    Only a stretch of steady power can tell. Some stations tell kW without a unit, or the power of
    the direct current whose alternating current is metered.
    """
    if course.told_w is None or point.power_w is None or not course.is_measured:
        return course.trust
    gained_wh = point.energy_wh - course.last.energy_wh
    if span_s < LEAST_SPAN_S or gained_wh < GRAINS * grain_wh:
        return course.trust
    if not _are_alike(course.told_w, point.power_w):
        return course.trust
    mean_w = (course.told_w + point.power_w) / 2
    if mean_w < 1:
        return 0.0
    ratio = gained_wh * HOUR_S / span_s / mean_w
    return 1.0 if abs(ratio - 1.0) <= TRUSTED else ratio


def _are_alike(one_w: float, other_w: float) -> bool:
    return abs(one_w - other_w) <= STEADY * max(one_w, other_w)
