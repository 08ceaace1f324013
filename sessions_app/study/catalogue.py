"""What there is in the world of the study, as tables: cars, meters, networks, tariffs."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from .car import Car
from .network import Route
from .station import Register

POWERS_W = (3_600, 7_400, 11_000, 22_000, 50_000, 60_000, 90_000, 120_000, 150_000, 180_000)
FAST_W = (240_000, 300_000, 350_000)
AC_MOST_W = 22_000
INTERVALS_S = (5, 10, 15, 30, 45, 60, 60, 120, 180, 300)

# By state of charge the share of its most power: steady and then constant voltage (a straight
# line of SoC is an exponential of time), a falling DC curve, and one with steps.
CCCV = ((0.0, 1.0), (0.8, 1.0), (1.0, 0.08))
FALLING = ((0.0, 0.85), (0.1, 1.0), (0.35, 1.0), (0.55, 0.72), (0.8, 0.42), (1.0, 0.05))
STEPS = ((0.0, 1.0), (0.30, 1.0), (0.301, 0.78), (0.55, 0.78), (0.551, 0.5), (0.8, 0.5), (1.0, 0.1))
FLAT = ((0.0, 1.0), (0.97, 1.0), (1.0, 0.3))

AC_CARS = (
    Car("single phase", 7_200, 50_000, CCCV, ramp_s=4, wobble=0.005),
    Car("plug-in hybrid", 3_600, 12_000, FLAT, ramp_s=3, wobble=0.01),
    Car("three phases", 11_000, 75_000, CCCV, ramp_s=6, wobble=0.005),
    Car("three phases, strong", 22_000, 52_000, CCCV, ramp_s=6, wobble=0.01),
)
DC_CARS = (
    Car("city", 50_000, 40_000, CCCV, ramp_s=15, wobble=0.01),
    Car("family", 130_000, 64_000, FALLING, ramp_s=20, wobble=0.01),
    Car("stepping", 150_000, 78_000, STEPS, ramp_s=25, wobble=0.005),
    Car("fast", 270_000, 93_000, FALLING, ramp_s=30, wobble=0.01),
    Car("van", 120_000, 110_000, CCCV, ramp_s=20, wobble=0.02),
    Car("truck", 350_000, 400_000, CCCV, ramp_s=40, wobble=0.005),
)

REGISTERS = (
    (Register("whole Wh", Decimal(1)), 60),
    (Register("tenths of a Wh", Decimal("0.1")), 8),
    (Register("10 Wh", Decimal(10)), 14),
    (Register("kWh with two decimals", Decimal(10)), 10),
    (Register("100 Wh", Decimal(100)), 8),
)
"""Each with its weight."""

REFRESHES_S = ((0.0, 50), (1.0, 35), (2.0, 10), (5.0, 5))
POWERS_TOLD = ((1.0, 75), (0.99, 10), (1.01, 5), (0.94, 10))
"""The last is a meter of alternating current beside a power of direct current."""
POWER_STEPS_W = ((1, 60), (10, 20), (100, 20))
TRIGGERS: tuple[tuple[Literal["fresh", "cached", "none"], int], ...] = (
    ("fresh", 82),
    ("cached", 4),
    ("none", 14),
)

ROUTES = (
    (Route("cable", 0.04, tail=0.01, lost=0.0), 40),
    (Route("mobile", 0.15, tail=0.03, lost=0.005), 45),
    (Route("poor mobile", 0.45, tail=0.06, lost=0.03), 15),
)
LATENCIES_S = (0.3, 0.6, 1.0, 1.5, 2.5, 4.0, 6.0)


@dataclass(frozen=True, slots=True)
class Chances:
    """How often a session has what happens to some."""

    power_in_samples: float = 0.7
    whole_seconds: float = 0.6
    wrong_clock: float = 0.3
    obeys_profiles: float = 0.5
    shares_power: float = 0.15
    runs_hot: float = 0.12
    outage: float = 0.06
    short_limit: float = 0.12
    gets_full: float = 0.06
    forgets_stop: float = 0.003


CHANCES = Chances()

KINDS = (("energy", 40), ("amount", 25), ("amount and time", 15), ("time of day", 8), ("time", 12))
"""Kinds of limit, with their weights; the middle ones are amounts at tariffs with more to them."""
PRICES = ("9.50", "12.50", "14.00", "18.00", "21.75")
TIME_PRICES_PER_H = ("30.00", "60.00", "120.00")
NIGHT_SHARE = Decimal("0.6")
