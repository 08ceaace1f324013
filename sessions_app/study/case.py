"""One session of the study: everything that chance decides about it, and how it is played."""

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass

from .agenda import Agenda
from .car import Flow, Visit
from .deal import Deal, crossing_s
from .network import Network, Route
from .office import Office
from .policy import Policy, Session
from .station import Make, Station
from .truth import Truth, moment

HORIZON_S = 4 * 3600.0
SETTLE_S = 1800.0
"""How much longer than the limit a session is watched: a stop may be lost, a sample far."""
LOOK_S = 60.0
LINGER_S = 300.0
"""How long a full car stays before its driver ends the session at the station."""


@dataclass(frozen=True, slots=True)
class Case:
    """`turn` counts the sessions at its station, from 0. `seed` gives the chances that fall while
    it is played; `offset_s` is what Kubat has learned of the station's clock; `full_s` is how long
    the limit takes at full power.
    """

    number: int
    station: int
    turn: int
    seed: int
    make: Make
    route: Route
    visit: Visit
    deal: Deal
    start_wh: float
    offset_s: float
    full_s: float
    outages: tuple[tuple[float, float], ...] = ()

    @property
    def is_first(self) -> bool:
        return self.turn == 0

    @property
    def is_disturbed(self) -> bool:
        """Whether its power changes by more than the car's own curve."""
        return bool(self.visit.offers or self.visit.derates)


@dataclass(frozen=True, slots=True)
class Goal:
    """Where delivery ought to end: at the limit, or where the car stops by itself before it."""

    at_s: float
    energy_wh: float
    total: int
    is_limit: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case under one policy. Money in minor units."""

    case: Case
    goal: Goal
    delivered_wh: float
    billed_wh: int
    total: int
    charged: int
    asked_for: int

    @property
    def error_wh(self) -> float:
        """Delivered too much, or too little where negative."""
        return self.delivered_wh - self.goal.energy_wh

    @property
    def share(self) -> float:
        """The error as a share of the limit."""
        return self.error_wh / self.goal.energy_wh if self.goal.energy_wh else 0.0

    @property
    def error_s(self) -> float:
        """The error as seconds of the station's full power."""
        return self.error_wh * 3600 / self.case.make.power_w

    @property
    def error_minor(self) -> int:
        return self.total - self.goal.total


def goal_of(case: Case) -> Goal:
    """Let the car charge with nobody interfering, and see when it reaches the limit."""
    flow = Flow(case.visit)
    room_wh = case.visit.car.battery_wh * (1 - case.visit.soc)
    until_s = case.full_s
    while until_s < HORIZON_S:
        flow.advance(until_s)
        truth = Truth(flow.knots)
        at_s = crossing_s(case.deal, truth)
        if at_s is not None:
            return _goal(case, truth, at_s, is_limit=True)
        if case.deal.bounds.ends_at is None and flow.energy_wh >= room_wh - 1:
            break
        until_s = until_s * 1.5 + LOOK_S
    full_s = next(at for at, energy_wh in flow.knots if energy_wh >= flow.energy_wh - 1)
    return _goal(case, Truth(flow.knots), full_s + LINGER_S, is_limit=False)


def play(case: Case, goal: Goal, policy: Callable[[Session], Policy]) -> Outcome:
    """Play a case under one policy. The same case and policy give the same outcome."""
    agenda = Agenda()
    flow = Flow(case.visit)
    network = Network(agenda, case.route, case.outages, random.Random(f"{case.seed}-network"))
    office = Office(agenda, network, case.offset_s)
    station = Station(
        case.make,
        flow,
        agenda,
        chance=random.Random(f"{case.seed}-station"),
        start_wh=case.start_wh,
        tell=lambda sample: None if network.loses() else network.up(lambda: office.hear(sample)),
        ended=lambda sample: network.up(lambda: office.hear_end(sample)),
    )
    start = station.begins_with()
    network.up(lambda: office.begin(station, start, lambda at: policy(_session(case, at))))
    if not goal.is_limit:
        agenda.at(goal.at_s, station.unplug)
    agenda.run(goal.at_s + SETTLE_S)
    if not station.is_over:
        flow.advance(agenda.now_s)
    return _outcome(case, goal, flow, office, station)


def _goal(case: Case, truth: Truth, at_s: float, *, is_limit: bool) -> Goal:
    total = case.deal.total(truth.energy_at, moment(at_s))
    return Goal(at_s, truth.energy_wh(at_s), total, is_limit)


def _session(case: Case, started_at: dt.datetime) -> Session:
    return Session(
        deal=case.deal,
        started_at=started_at,
        interval_s=case.make.interval_s,
        full_w=case.make.power_w,
        has_profiles=case.make.obeys_profiles,
    )


def _outcome(case: Case, goal: Goal, flow: Flow, office: Office, station: Station) -> Outcome:
    truth = Truth(flow.knots)
    ends_s = _flowed_until_s(flow) if station.stopped_s is None else station.stopped_s
    total = case.deal.total(truth.energy_at, moment(ends_s))
    return Outcome(
        case=case,
        goal=goal,
        delivered_wh=flow.energy_wh,
        billed_wh=office.billed_wh(),
        total=total,
        charged=case.deal.charge(total),
        asked_for=office.asked_for,
    )


def _flowed_until_s(flow: Flow) -> float:
    """When the last energy flowed: what a session costs that nobody ended is told as of then."""
    return next(at_s for at_s, energy_wh in flow.knots if energy_wh >= flow.energy_wh)
