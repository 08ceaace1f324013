"""What a study found: the errors of many sessions as figures, and whether they meet the targets."""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .case import Outcome

LEAST_FULL_S = 300.0
MOST_INTERVAL_S = 60.0
"""The targets are for limits of five minutes of full power and intervals up to 60 s."""
COUNTS = 200
"""A register with fewer counts in the limit cannot be held to 0.5 % of it by anyone."""
MEDIAN = 0.005
WITHIN = 0.99
WITHIN_SHARE, WITHIN_S = 0.02, 2.0
CUT_OVER = 0.03


@dataclass(frozen=True, slots=True)
class Band:
    """A part of the sessions, by name."""

    name: str
    has: Callable[[Outcome], bool]


INTERVALS = (
    Band("every 5–15 s", lambda one: one.case.make.interval_s <= 15),
    Band("every 30–60 s", lambda one: 15 < one.case.make.interval_s <= 60),
    Band("every 2–5 min", lambda one: one.case.make.interval_s > 60),
)
POWERS = (
    Band("3.6–22 kW", lambda one: one.case.make.power_w <= 22_000),
    Band("50–120 kW", lambda one: 22_000 < one.case.make.power_w <= 120_000),
    Band("150–350 kW", lambda one: one.case.make.power_w > 120_000),
)

HARD = (
    Band("no power in samples", lambda one: not one.case.make.has_power),
    Band("no fresh sample when asked", lambda one: one.case.make.trigger != "fresh"),
    Band("power shared or derated", lambda one: one.case.is_disturbed),
    Band("network away for a while", lambda one: bool(one.case.outages)),
    Band("first stop at its station", lambda one: one.case.is_first),
)
"""What makes a limit hard to hold; the targets are for these as well."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The errors of some sessions: shares of the limit, and the largest in Wh and in money."""

    count: int
    median: float
    p99: float
    within: float
    over_wh: float
    under_wh: float
    over_share: float
    over_minor: int
    under_minor: int

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> "Figures":
        shares = sorted(abs(one.share) for one in outcomes)
        return cls(
            count=len(outcomes),
            median=statistics.median(shares),
            p99=percentile(shares, 0.99),
            within=sum(map(is_within, outcomes)) / len(outcomes),
            over_wh=max(0.0, *(one.error_wh for one in outcomes)),
            under_wh=min(0.0, *(one.error_wh for one in outcomes)),
            over_share=max(0.0, *(one.share for one in outcomes)),
            over_minor=max(0, *(one.error_minor for one in outcomes)),
            under_minor=min(0, *(one.error_minor for one in outcomes)),
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target: what is asked, what was found, and whether that meets it."""

    asked: str
    found: str
    is_met: bool


def judge(outcomes: Sequence[Outcome], cuts: Sequence[Outcome]) -> list[Verdict]:
    """Hold the predictive stop to its targets. Where nothing was tried, nothing is met."""
    aimed = [one for one in outcomes if is_aimed(one)]
    return [
        *_exactness(aimed),
        _never_above([*outcomes, *cuts]),
        _cut([one for one in cuts if is_aimed(one)]),
    ]


def is_aimed(one: Outcome) -> bool:
    """Whether the targets are for this session."""
    return (
        one.goal.is_limit
        and one.case.full_s >= LEAST_FULL_S
        and one.case.make.interval_s <= MOST_INTERVAL_S
        and is_fine(one)
    )


def is_fine(one: Outcome) -> bool:
    """Whether its meter can tell 0.5 % of the limit."""
    return float(one.case.make.register.step_wh) * COUNTS <= one.goal.energy_wh


def is_within(one: Outcome) -> bool:
    return abs(one.share) <= WITHIN_SHARE or abs(one.error_s) <= WITHIN_S


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least value that so large a share of them does not pass."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def part(outcomes: Iterable[Outcome], *bands: Band) -> list[Outcome]:
    return [one for one in outcomes if all(band.has(one) for band in bands)]


def _exactness(aimed: Sequence[Outcome]) -> list[Verdict]:
    asked = f"half of them within {MEDIAN:.1%} of the limit"
    bound = f"the larger of {WITHIN_SHARE:.0%} and {WITHIN_S:.0f} s of power"
    most = f"{WITHIN:.0%} of them within {bound}"
    if not aimed:
        return [Verdict(one, "no session to tell by", is_met=False) for one in (asked, most)]
    found = Figures.of(aimed)
    return [
        Verdict(asked, f"{found.median:.3%} ({found.count} sessions)", found.median <= MEDIAN),
        Verdict(most, f"{found.within:.2%}", found.within >= WITHIN),
    ]


def _never_above(outcomes: Sequence[Outcome]) -> Verdict:
    above = sum(one.charged > one.case.deal.bounds.hold_minor for one in outcomes)
    return Verdict("never charged above the hold", f"{above} of {len(outcomes)}", above == 0)


def _cut(cuts: Sequence[Outcome]) -> Verdict:
    asked = f"network cut, Smart Charging: at most {CUT_OVER:.0%} over"
    if not cuts:
        return Verdict(asked, "no session to tell by", is_met=False)
    worst = max(one.share for one in cuts)
    return Verdict(asked, f"at most {worst:.2%} over ({len(cuts)} sessions)", worst <= CUT_OVER)
