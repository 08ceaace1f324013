"""The predictive stop with its backstop at the station: `profile_plan`, unchanged.

What the service does around it with rows and commands is done here with what the study knows.
"""

import dataclasses
import datetime as dt

from .. import profile_plan
from ..outlook import Point
from ..profile_plan import Aim, Course, Place, Watch
from .car import S_AN_HOUR
from .policy import Plan, Session, Told
from .predictive import Predictive

LEAST_RATE_S = 5.0
RECENT = 3
"""How many earlier powers a plan looks at."""
QUIET = dt.timedelta(seconds=10)
"""No optional call leaves so shortly before a stop (design section 5)."""


class Guarded(Predictive):
    """Also keeps a TxProfile at the station whose last limit is zero."""

    def __init__(self, session: Session, stops_s: list[float]) -> None:
        super().__init__(session, stops_s)
        self._profile: profile_plan.Plan | None = None
        self._sent_at: dt.datetime | None = None
        self._powers_w: list[int] = []

    def begin(self) -> Plan:
        plan = super().begin()
        session, ends_at = self._session, self._session.deal.bounds.ends_at
        first = profile_plan.first(
            aim=Aim(energy_wh=self._aim(session.started_at).energy_wh),
            lasts_s=(ends_at - session.started_at).total_seconds() if ends_at else None,
            place=self._place(),
        )
        return self._with_profile(plan, first and first.begun(session.started_at))

    def hear(self, told: Told) -> Plan:
        before = self.last
        plan = super().hear(told)
        if not self._session.has_profiles:
            return plan
        course, aim = self._reading(told, before), self._aim(told.received_at)
        if self._profile and profile_plan.is_done(self._profile, course, aim):
            return dataclasses.replace(plan, stop_at=told.received_at)
        if self._is_too_late(plan, told.received_at) or not self._is_due(course, aim):
            return plan
        self._sent_at = told.received_at
        starts_at = course.at.replace(microsecond=0) + dt.timedelta(seconds=1)
        made = profile_plan.make(
            course, aim, self._place(), starts_at=starts_at, standing=self._profile
        )
        return self._with_profile(plan, made)

    def _is_due(self, course: Course, aim: Aim) -> bool:
        watch = Watch(self._profile, aim, self._session.interval_s, sent_at=self._sent_at)
        return watch.is_due(at=course.at, energy_wh=course.energy_wh, power_w=course.power_w)

    def _with_profile(self, plan: Plan, made: profile_plan.Plan | None) -> Plan:
        if made is None or not self._session.has_profiles:
            return plan
        self._profile = made
        limits = tuple(
            (made.zero_at - dt.timedelta(seconds=made.zero_s - start_s), float(limit_w))
            for start_s, limit_w in made.periods
        )
        return dataclasses.replace(plan, limits=limits)

    def _is_too_late(self, plan: Plan, now: dt.datetime) -> bool:
        return plan.stop_at is not None and plan.stop_at - now <= QUIET

    def _reading(self, told: Told, before: Point) -> Course:
        """What the sample says, its power as the service reads it."""
        span_s = (told.at - before.at).total_seconds()
        gained_wh = told.energy_wh - before.energy_wh
        rate_w = gained_wh * S_AN_HOUR / span_s if span_s >= LEAST_RATE_S else None
        power_w = profile_plan.power_of(told.power_w, rate_w)
        earlier = tuple(self._powers_w[-RECENT:])
        if power_w is not None:
            self._powers_w.append(max(0, round(power_w)))
        now_w = self._powers_w[-1] if self._powers_w else 0
        return Course(told.at, int(told.energy_wh), now_w, earlier)

    def _aim(self, now: dt.datetime) -> Aim:
        deal = self._session.deal
        if deal.target_wh is not None:
            return Aim(energy_wh=deal.target_wh, ends_at=deal.bounds.ends_at)
        energy_wh = self.least_priced_wh(now)
        return Aim(energy_wh=None if energy_wh is None else int(energy_wh))

    def _place(self) -> Place:
        return Place(full_w=int(self._session.full_w), interval_s=self._session.interval_s)
