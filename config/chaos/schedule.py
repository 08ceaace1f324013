"""What will go wrong, and what drivers will ask for: drawn from one seed before anything starts.

Pure: the same options give the same schedule, and nothing here knows what is done with it.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

STATION_FAULTS = {
    "cut": 10,
    "freeze": 6,
    "delay": 6,
    "half-close": 4,
    "half-open": 6,
    "outage": 8,
    "lose-reply": 14,
    "tear-reply": 6,
    "move": 8,
    "repeat": 6,
    "power": 8,
    "offline": 10,
    "clock": 3,
}
"""Faults of one station and its connection, and how often each comes beside the others."""
PROGRAM_FAULTS = {"kill": 5, "terminate": 3, "freeze": 4}
TOWN_FAULTS = {"cut-all": 2, "freeze-all": 2}
SHARE_OF_A_PROGRAM = 0.06
"""Of all faults: a program that is down half of the time lets nothing else happen."""
TOWN_SHARE = 0.04
FAULTS_PER_STATION_MINUTE = 7.0
LEAST_GAP_S = 0.5
FIRST_AFTER_S = 3.0
VISITS_PER_MINUTE = 8
FICKLE_SHARE = 0.15
LOST = ("StartTransaction", "StopTransaction", "MeterValues", "StatusNotification")
REPEATED = ("StartTransaction", "StopTransaction", "MeterValues")
OFFSETS_S = (-86_400, -3_600, -420, -90, 37, 240, 5_400)


@dataclass(frozen=True, slots=True)
class Options:
    """What decides a schedule; `programs` are those that may be killed."""

    seed: int
    minutes: float
    stations: int
    programs: tuple[str, ...]

    @property
    def lasts_s(self) -> float:
        return self.minutes * 60


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong `at_s` after the opening, and is over after `lasts_s`."""

    at_s: float
    kind: str
    target: str
    lasts_s: float = 0.0
    detail: str = ""

    def __str__(self) -> str:
        extent = f" for {self.lasts_s:.1f} s" if self.lasts_s else ""
        return f"{self.at_s:7.1f} s  {self.kind} {self.target}{extent} {self.detail}".rstrip()


@dataclass(frozen=True, slots=True)
class Visit:
    """A driver who wants to charge, after a pause at this connector.

    By card (`limit_type` empty) or by app; `leaves_after_s` is when they lose patience. A fickle
    one presses stop at once after start.
    """

    station: int
    connector_id: int
    driver: int
    pause_s: float
    limit_type: str
    limit_value: str
    leaves_after_s: float
    is_fickle: bool

    @property
    def raised_to(self) -> str:
        """What this driver makes of the limit while the car charges; most leave it as it is.

        The limit itself decides, so that a seed draws what it always drew.
        """
        if self.limit_type not in ("amount", "energy") or int(self.limit_value[-1]) % 3:
            return ""
        return str(Decimal(self.limit_value) * 2)

    def __str__(self) -> str:
        how = f"{self.limit_type} {self.limit_value}".strip() or "by card"
        return (
            f"station {self.station}/{self.connector_id}: driver {self.driver} after "
            f"{self.pause_s:.1f} s, {how}, leaves after {self.leaves_after_s:.0f} s"
            f"{f', raises to {self.raised_to}' if self.raised_to else ''}"
            f"{', fickle' * self.is_fickle}"
        )


@dataclass(frozen=True, slots=True)
class Make:
    """What a station is: `offset_s` is how wrong its clock is, which nothing ever sets right."""

    connectors: int
    offset_s: int
    is_power_stated: bool
    is_priced_by_time: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    options: Options
    makes: tuple[Make, ...]
    visits: tuple[Visit, ...]
    faults: tuple[Fault, ...]

    def lines(self) -> Iterator[str]:
        """The whole of it, for a person: equal for equal options."""
        for number, make in enumerate(self.makes, 1):
            yield f"station {number}: {make}"
        yield from map(str, self.visits)
        yield from map(str, self.faults)


def station_name(number: int) -> str:
    return f"C-{number}"


def draw(options: Options) -> Schedule:
    """Draw makes, visits and faults, in this order, from one source of chance."""
    chance = random.Random(options.seed)
    makes = tuple(_make(chance, number) for number in range(1, options.stations + 1))
    visits = tuple(_visits(chance, options, makes))
    return Schedule(options, makes, visits, tuple(_faults(chance, options)))


def _make(chance: random.Random, number: int) -> Make:
    return Make(
        connectors=chance.choice((1, 1, 2)),
        offset_s=chance.choice(OFFSETS_S) if chance.random() < 0.3 else 0,
        is_power_stated=chance.random() < 0.4,
        is_priced_by_time=number % 3 == 0,
    )


def _visits(chance: random.Random, options: Options, makes: tuple[Make, ...]) -> Iterator[Visit]:
    count = max(2, round(options.minutes * VISITS_PER_MINUTE))
    for station, make in enumerate(makes, 1):
        for connector_id in range(1, make.connectors + 1):
            for _ in range(count):
                yield _visit(chance, station, connector_id, drivers=options.stations)


def _visit(chance: random.Random, station: int, connector_id: int, *, drivers: int) -> Visit:
    limit_type = chance.choice(
        ("amount", "amount", "amount", "energy", "energy", "time", "full", "")
    )
    values: dict[str, Callable[[], str]] = {
        "amount": lambda: f"{chance.randrange(300, 3_000) / 100:.2f}",
        "energy": lambda: f"{chance.randrange(150, 2_000) / 1000:.3f}",
        "time": lambda: "1",
    }
    return Visit(
        station=station,
        connector_id=connector_id,
        driver=chance.randrange(1, drivers + 1),
        pause_s=_tenths(chance, 0, 2),
        limit_type=limit_type,
        limit_value=values[limit_type]() if limit_type in values else "",
        leaves_after_s=_tenths(chance, 4, 25),
        is_fickle=chance.random() < FICKLE_SHARE,
    )


def _faults(chance: random.Random, options: Options) -> Iterator[Fault]:
    """Faults one after the other; a program that is down is not hit again before it is back."""
    per_s = FAULTS_PER_STATION_MINUTE * options.stations / 60
    until_s: dict[str, float] = {}
    at_s = FIRST_AFTER_S
    while at_s < options.lasts_s:
        fault = _fault(chance, options, at_s)
        if at_s >= until_s.get(fault.target, 0):
            until_s[fault.target] = at_s + fault.lasts_s + LEAST_GAP_S
            yield fault
        at_s = round(at_s + max(LEAST_GAP_S / 2, chance.expovariate(per_s)), 1)


def _fault(chance: random.Random, options: Options, at_s: float) -> Fault:
    share = chance.random()
    of_programs = SHARE_OF_A_PROGRAM * len(options.programs)
    if share < of_programs:
        return _program_fault(chance, options, at_s)
    if share < of_programs + TOWN_SHARE:
        kind = _pick(chance, TOWN_FAULTS)
        return Fault(at_s, kind, "network", _tenths(chance, 1, 5) if kind == "freeze-all" else 0)
    return _station_fault(chance, options, at_s)


def _program_fault(chance: random.Random, options: Options, at_s: float) -> Fault:
    target = chance.choice(options.programs)
    kind = _pick(chance, PROGRAM_FAULTS)
    is_long = target in ("postgres", "redis") and chance.random() < 0.25
    return Fault(at_s, kind, target, _tenths(chance, 8, 14) if is_long else _tenths(chance, 0.3, 5))


def _station_fault(chance: random.Random, options: Options, at_s: float) -> Fault:
    target = station_name(chance.randrange(1, options.stations + 1))
    kind = _pick(chance, STATION_FAULTS)
    match kind:
        case "lose-reply" | "tear-reply":
            return Fault(at_s, kind, target, detail=chance.choice(LOST))
        case "repeat":
            return Fault(at_s, kind, target, _tenths(chance, 3, 12), chance.choice(REPEATED))
        case "clock":
            return Fault(at_s, kind, target, detail=f"{chance.choice(OFFSETS_S):+d} s")
        case "offline":
            return Fault(at_s, kind, target, _tenths(chance, 4, 14))
        case "cut" | "move":
            return Fault(at_s, kind, target)
    return Fault(at_s, kind, target, _tenths(chance, 0.5, 7))


def _pick(chance: random.Random, weights: dict[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def _tenths(chance: random.Random, least: float, most: float) -> float:
    return round(chance.uniform(least, most), 1)
