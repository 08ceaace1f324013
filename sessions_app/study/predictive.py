"""The product's own decisions behind the study's protocol: `outlook` and `latency`, unchanged.

What the services do around them with rows is done here with what the study knows: the points of
a session, its bounds, the latencies of its station.
"""

import dataclasses
import datetime as dt

from .. import crossing, latency, outlook
from ..outlook import Course, Point
from .policy import Ended, Plan, Session, Told, energy_between

SOON = dt.timedelta(minutes=15)
FAR = dt.timedelta(hours=6)


class Predictive:
    """Stop so that delivery ends at the limit. `stops_s` are the latencies of its station."""

    def __init__(self, session: Session, stops_s: list[float]) -> None:
        self._session, self._stops_s = session, stops_s
        self._known = [(session.started_at, 0.0)]
        self._course = self._decided = outlook.begin(session.started_at, session.full_w)
        self._plan = Plan()

    @property
    def last(self) -> Point:
        """The latest moment of its meter."""
        return self._course.last

    def least_priced_wh(self, now: dt.datetime) -> float | None:
        """The energy with which the hold may be used up, where time has a price."""
        return crossing.least_wh(self._course, self._left, low=now, high=now + FAR)

    def begin(self) -> Plan:
        return self._look(self._session.started_at)

    def hear(self, told: Told) -> Plan:
        course = outlook.after(self._course, Point(told.at, told.energy_wh, told.power_w))
        if course is self._course:
            return self._plan
        self._course = course
        self._known.append((told.at, told.energy_wh))
        if self._session.deal.is_reached(self._energy_at, told.at):
            self._plan = Plan(stop_at=told.received_at)
            return self._plan
        return self._look(told.received_at)

    def asked(self, now: dt.datetime) -> Plan:
        self._plan = dataclasses.replace(self._plan, ask_at=None)
        return self._plan

    def end(self, ended: Ended) -> None:
        """Learn from a stop that came by the first asking, as the services do."""
        if ended.asked_at is None or ended.asked > 1:
            return
        seen_s = latency.observed_s(
            self._course,
            decided_at=ended.asked_at,
            stop_wh=ended.told.energy_wh,
            ended_at=ended.told.at,
        )
        if seen_s is not None:
            self._stops_s.append(seen_s)

    def _look(self, now: dt.datetime) -> Plan:
        found = outlook.look(
            self._course,
            crossing_at=self._crossing_at(now),
            interval_s=self._session.interval_s,
            latency_s=latency.learned_s(self._stops_s),
        )
        stop_at = max(found.stop_at, now) if found.stop_at else None
        self._plan = Plan(stop_at=stop_at, ask_at=found.ask_at)
        return self._plan

    def _crossing_at(self, now: dt.datetime) -> dt.datetime | None:
        """When the limit or the hold is reached as the course goes on."""
        deal, course = self._session.deal, self._course
        crossings = [deal.bounds.ends_at, outlook.crossing_of(course, deal.target_wh, now=now)]
        if deal.target_wh is None and not outlook.is_stale(course, now):
            high = now + SOON
            crossings.append(crossing.find(lambda at: self._left(course, at), low=now, high=high))
        return min((at for at in crossings if at is not None), default=None)

    def _left(self, course: Course, at: dt.datetime) -> int:
        """What is left of the hold by a moment, as a course goes on."""

        def energy_at(when: dt.datetime) -> float:
            is_ahead = when > course.last.at
            return outlook.energy_at(course, when) if is_ahead else self._energy_at(when)

        deal = self._session.deal
        return deal.bounds.hold_minor - deal.total(energy_at, at)

    def _energy_at(self, at: dt.datetime) -> float:
        return energy_between(self._known, at)
