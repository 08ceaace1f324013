"""Look ahead in a charging session: from its rows to the pure `outlook`."""

import datetime as dt
import itertools
from bisect import bisect_left
from dataclasses import replace
from decimal import Decimal
from functools import partial

from billing.energy import Wh
from billing.money import Minor
from billing.pricing import total_by_energy
from stations.models import Station, StopHabit

from .. import crossing, outlook
from ..latency import KEPT, learned_s
from ..models import Backstop, ChargingSession
from ..outlook import Course, Outlook, Point
from ..profile_plan import Aim, Plan
from ..running import Onward, Price
from . import backstop
from .bill import delivered_wh, price_session, terms_of
from .limits import bounds_of, full_power_w, silent_after

LATEST = 30
"""Readings that tell how a session goes on: more would be of a power that is long past."""
FARTHEST_PLAN = dt.timedelta(hours=24)
MOST_WH = Wh(10_000_000)
ALIKE = KEPT
"""Stations of the same model whose last stops tell of one that was never stopped."""


def look_ahead(session: ChargingSession, now: dt.datetime) -> Onward:
    """Say how a charging session goes on, by its readings."""
    course = course_of(session)
    return Onward(course, _look(session, course, now))


def aim_ahead(session: ChargingSession, course: Course, now: dt.datetime) -> Aim:
    """Where a plan that nobody may be able to renew must end (services/backstop).

    Where time has a price that is the least energy that the hold may buy from here on: it takes
    some dozen pricings to find, so it is asked for only where there is such a plan.
    """
    aim = backstop.aim_of(session)
    if total_by_energy(terms_of(session)) is not None or outlook.is_stale(course, now):
        return aim
    left = partial(_left_minor, session)
    least_wh = crossing.least_wh(course, left, low=now, high=now + FARTHEST_PLAN)
    known = [wh for wh in (aim.energy_wh, least_wh) if wh is not None]
    return replace(aim, energy_wh=int(min(known)) if known else None)


def course_of(session: ChargingSession, *, until: dt.datetime | None = None) -> Course:
    """The course of a session by its latest readings; `until`, by those that had come then."""
    start = session.started_at or session.requested_at
    begun = session.meter_start_at or start
    course = outlook.begin(start, float(full_power_w(session)))
    rows = session.readings.filter(register_wh__isnull=False, at__gte=begun)
    if until is not None:
        rows = rows.filter(received_at__lte=until)
    latest = rows.order_by("-at").values_list("at", "received_at", "register_wh", "power_w")
    for at, received_at, register_wh, power_w in reversed(latest[:LATEST]):
        moment = outlook.our_time(at, received_at, started_at=start, meter_start_at=begun)
        told_w = None if power_w is None else float(power_w)
        energy_wh = float(delivered_wh(session, register_wh))
        course = outlook.after(course, Point(moment, energy_wh, told_w))
    return course


def target_of(session: ChargingSession, price: Price | None) -> float | None:
    """The energy at which the first of its bounds is reached; None where none is by energy.

    `price` is what energy costs, None where time costs something too: then only the limit counts.
    """
    bounds = bounds_of(session)
    targets = (
        bounds.energy_wh,
        _paid_by(bounds.hold_minor, price) if price else None,
        _energy_at_soc(session, bounds.soc),
    )
    return min((float(target) for target in targets if target is not None), default=None)


def expected_latency_s(station: Station) -> float:
    """How long this station takes to stop: by its own stops, else by those of its model."""
    own = StopHabit.objects.filter(station=station).first()
    if own and own.latencies_s:
        return learned_s(own.latencies_s)
    alike = StopHabit.objects.exclude(latencies_s=[]).filter(
        station__vendor=station.vendor, station__model=station.model
    )
    known = alike.order_by("-pk")[:ALIKE] if station.model else ()
    return learned_s([learned_s(habit.latencies_s) for habit in known][::-1])


def last_soc(session: ChargingSession) -> Decimal | None:
    """The latest state of charge that was told, in per cent."""
    told = session.readings_since_start().filter(soc__isnull=False).order_by("-at")
    return told.values_list("soc", flat=True).first()


def _look(session: ChargingSession, course: Course, now: dt.datetime) -> Outlook:
    bounds = bounds_of(session)
    price = total_by_energy(terms_of(session))
    crossings = [
        bounds.ends_at,
        outlook.crossing_of(
            course, target_of(session, price), now=now, plan=standing_plan(session)
        ),
        None if price else _priced_crossing(session, course, now),
    ]
    return outlook.look(
        course,
        crossing_at=min((at for at in crossings if at is not None), default=None),
        interval_s=session.station.meter_interval_s,
        latency_s=expected_latency_s(session.station),
    )


def standing_plan(session: ChargingSession) -> Plan | None:
    """The plan that holds at the station of a session."""
    row = Backstop.objects.filter(session=session).first()
    return row.standing if row else None


def _paid_by(hold_minor: Minor, price: Price) -> Wh | None:
    """The least energy that costs as much as was held; None where none does."""
    most = price(MOST_WH)
    if most == 0 or most < hold_minor:
        return None
    return Wh(bisect_left(range(MOST_WH), max(hold_minor, 1), key=lambda wh: price(Wh(wh))))


def _priced_crossing(
    session: ChargingSession, course: Course, now: dt.datetime
) -> dt.datetime | None:
    """When a session whose time has a price will have used up its hold, if that is soon.

    Later than that a reading comes before, or the worker, which looks at a session that is silent.
    """
    if outlook.is_stale(course, now):
        return None
    left = partial(_left_minor, session, course)
    return crossing.find(left, low=now, high=now + silent_after(session))


def _left_minor(session: ChargingSession, course: Course, at: dt.datetime) -> int:
    """What will be left of the hold at a moment, if a session goes on like this."""
    energy_wh = Wh(int(outlook.energy_at(course, at)))
    return session.hold_minor - price_session(session, energy_wh=energy_wh, until=at).bill.total


def _energy_at_soc(session: ChargingSession, soc: Decimal | None) -> float | None:
    """The energy at which a state of charge will be told, by what each per cent took so far.

    A percentage is told in whole steps: two moments at which it stepped, and two per cent between
    them, are needed to measure by.
    """
    if soc is None:
        return None
    told = session.readings_since_start().filter(soc__isnull=False, register_wh__isnull=False)
    values = told.order_by("at").values_list("soc", "register_wh")
    rows = [(per_cent or Decimal(0), wh or Decimal(0)) for per_cent, wh in values]
    steps = [later for earlier, later in itertools.pairwise(rows) if later[0] > earlier[0]]
    if not steps or steps[-1][0] - steps[0][0] < 2:
        return None
    (first, first_wh), (last, last_wh) = steps[0], steps[-1]
    left = max(Decimal(0), soc - last) * (last_wh - first_wh) / (last - first)
    return float(last_wh + left - (session.meter_start_wh or 0))
