"""The sessions of the study, drawn from one seed: stations, and several sessions at each."""

import datetime as dt
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple, TypeVar

from billing.energy import Wh
from billing.money import Minor, to_minor
from billing.pricing import Component, Element, Restrictions, Terms, ceiling

from ..bounds import Bounds
from .car import Car, Visit
from .case import Case, Goal
from .catalogue import (
    AC_CARS,
    AC_MOST_W,
    CHANCES,
    DC_CARS,
    FAST_W,
    INTERVALS_S,
    KINDS,
    LATENCIES_S,
    NIGHT_SHARE,
    POWER_STEPS_W,
    POWERS_TOLD,
    POWERS_W,
    PRICES,
    REFRESHES_S,
    REGISTERS,
    ROUTES,
    TIME_PRICES_PER_H,
    TRIGGERS,
)
from .deal import UTC, Deal
from .network import Route
from .station import Make
from .truth import EPOCH, moment

SESSIONS_A_STATION = 6
WOBBLES = 97
T = TypeVar("T")


class _Place(NamedTuple):
    """One station: its number, how it is made, its network, what is known of its clock."""

    number: int
    make: Make
    route: Route
    offset_s: float


def cases(count: int, seed: int) -> Iterator[Case]:
    """Draw so many sessions; those of one station follow each other."""
    for station in range(-(-count // SESSIONS_A_STATION)):
        chance = random.Random(f"{seed}-{station}")
        place = _place(chance, station)
        for turn in range(min(SESSIONS_A_STATION, count - station * SESSIONS_A_STATION)):
            yield _case(chance, place, turn)


def cut(case: Case, goal: Goal) -> Case:
    """The same session with Smart Charging, and its network cut at any moment before the limit."""
    chance = random.Random(f"{case.seed}-cut")
    outages = ((chance.uniform(0, goal.at_s), math.inf),)
    return replace(case, make=replace(case.make, obeys_profiles=True), outages=outages)


def _place(chance: random.Random, number: int) -> _Place:
    power_w = chance.choice((*POWERS_W, *FAST_W))
    stamp_s = 1.0 if chance.random() < CHANCES.whole_seconds else 0.001
    clock_off_s = chance.uniform(-7200, 7200) if chance.random() < CHANCES.wrong_clock else 0.0
    route = _weighted(chance, ROUTES)
    make = Make(
        power_w=power_w,
        interval_s=chance.choice(INTERVALS_S),
        register=_weighted(chance, REGISTERS),
        refresh_s=_weighted(chance, REFRESHES_S),
        has_power=chance.random() < CHANCES.power_in_samples,
        power_told=_weighted(chance, POWERS_TOLD),
        power_step_w=_weighted(chance, POWER_STEPS_W),
        stamp_s=stamp_s,
        clock_off_s=clock_off_s,
        latency_s=chance.choice(LATENCIES_S) * chance.uniform(0.8, 1.2),
        jitter=chance.uniform(0.03, 0.15),
        deaf=CHANCES.forgets_stop,
        trigger=_weighted(chance, TRIGGERS),
        obeys_profiles=chance.random() < CHANCES.obeys_profiles,
        profile_lag_s=chance.uniform(0.3, 2.0),
    )
    # What Kubat has learned by the messages before: the least of many differences.
    offset_s = -clock_off_s + route.delay_s * 0.5 + chance.uniform(0, 0.1) * stamp_s
    return _Place(number, make, route, offset_s)


def _case(chance: random.Random, place: _Place, turn: int) -> Case:
    make = place.make
    car = chance.choice(_cars(make.power_w))
    soc = chance.uniform(0.05, 0.6)
    full_s = _full_s(chance, car.battery_wh * (0.97 - soc) * 3600 / make.power_w)
    span_s = full_s * make.power_w / min(make.power_w, car.max_w)
    visit = Visit(
        car=car,
        soc=soc,
        station_w=make.power_w,
        wobbles=tuple(chance.uniform(0, 2 * car.wobble) for _ in range(WOBBLES)),
        offers=_offers(chance, span_s),
        derates=_derates(chance, span_s),
    )
    return Case(
        number=place.number * SESSIONS_A_STATION + turn,
        station=place.number,
        turn=turn,
        seed=chance.getrandbits(48),
        make=make,
        route=place.route,
        visit=visit,
        deal=_deal(chance, make, full_s, span_s),
        start_wh=chance.uniform(0, 9e6),
        offset_s=place.offset_s,
        full_s=full_s,
        outages=_outages(chance, span_s),
    )


def _full_s(chance: random.Random, room_s: float) -> float:
    """How long the limit takes at full power; most fit into what is left of the battery."""
    if chance.random() < CHANCES.short_limit:
        minutes = chance.uniform(1.5, 5)
    else:
        minutes = math.exp(chance.uniform(math.log(5), math.log(40)))
    gets_full = chance.random() < CHANCES.gets_full
    return 60 * minutes if gets_full else min(60 * minutes, room_s * 0.8)


def _cars(power_w: float) -> Sequence[Car]:
    if power_w <= AC_MOST_W:
        return AC_CARS
    return [car for car in DC_CARS if car.max_w >= power_w / 3]


def _offers(chance: random.Random, span_s: float) -> tuple[tuple[float, float], ...]:
    """A second car comes and takes half, or leaves and gives it back, or both."""
    if chance.random() >= CHANCES.shares_power:
        return ()
    first, second = sorted(chance.uniform(0, span_s * 1.3) for _ in range(2))
    part = chance.uniform(0.35, 0.7)
    if chance.random() < 0.5:
        return ((first, part), (second, 1.0))
    return ((0.0, part), (first, 1.0))


def _derates(chance: random.Random, span_s: float) -> tuple[tuple[float, float], ...]:
    """A hot car goes down in three steps, and comes back."""
    if chance.random() >= CHANCES.runs_hot:
        return ()
    begin = chance.uniform(0.2, 0.9) * span_s
    floor = chance.uniform(0.5, 0.8)
    down = [(begin + 20 * step, 1 - (1 - floor) * (step + 1) / 3) for step in range(3)]
    return (*down, (begin + chance.uniform(120, 600), 1.0))


def _outages(chance: random.Random, span_s: float) -> tuple[tuple[float, float], ...]:
    if chance.random() >= CHANCES.outage:
        return ()
    begin = chance.uniform(0, span_s)
    return ((begin, begin + chance.uniform(5, 90)),)


def _deal(chance: random.Random, make: Make, full_s: float, span_s: float) -> Deal:
    kind = _weighted(chance, KINDS)
    energy_wh = Wh(round(make.power_w * full_s / 3600))
    per_kwh = Decimal(chance.choice(PRICES))
    switch_at = moment(60 * round(chance.uniform(0.1, 1.0) * span_s / 60))
    terms = _terms(chance, kind, per_kwh, switch_at)
    if kind == "energy":
        hold = ceiling(terms, start=EPOCH, zone=UTC, energy_wh=energy_wh)
        return Deal.of(kind, terms, Bounds(Minor(hold or 0), energy_wh=energy_wh))
    if kind == "time":
        duration = dt.timedelta(minutes=max(2, round(full_s / 60)))
        most_w = int(make.power_w)
        hold = ceiling(terms, start=EPOCH, zone=UTC, duration=duration, max_power_w=most_w)
        return Deal.of(kind, terms, Bounds(Minor(hold or 0), ends_at=EPOCH + duration))
    amount = max(Minor(100), to_minor((per_kwh * energy_wh / 1000).quantize(Decimal("1"))))
    return Deal.of(kind, terms, Bounds(amount), switch_at if kind == "time of day" else None)


def _terms(chance: random.Random, kind: str, per_kwh: Decimal, switch_at: dt.datetime) -> Terms:
    elements: tuple[Element, ...] = ()
    if kind == "amount and time":
        per_hour = Decimal(chance.choice(TIME_PRICES_PER_H))
        elements = (Element((Component("TIME", per_hour),)),)
    if kind == "time of day":
        night = Component("ENERGY", per_kwh * NIGHT_SHARE)
        elements = (Element((night,), Restrictions(start_time=switch_at.time())),)
    return Terms("KGS", price_per_kwh=per_kwh, elements=elements)


def _weighted(chance: random.Random, rows: Sequence[tuple[T, int]]) -> T:
    return chance.choices([one for one, _ in rows], [weight for _, weight in rows])[0]
