"""The stretches of a session, cut where the price can change."""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Literal, NamedTuple

from ..energy import Wh
from ..errors import Invalid
from .rates import Rates
from .terms import Share

State = Literal["charging", "parking"]
MICROSECOND = dt.timedelta(microseconds=1)
US_AN_HOUR = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of one session: aware times, energy in Wh, mean power in W if known.

    Without a stated power it is the mean of the period's own energy.
    """

    start: dt.datetime
    end: dt.datetime
    energy_wh: Wh
    power_w: int | None = None
    state: State = "charging"


class Segment(NamedTuple):
    """A part of a period in one region of the rates; `before_wh` is the session's energy so far."""

    start: dt.datetime
    duration_us: int
    energy_wh: Share
    before_wh: Share
    power_w: int | None
    state: State


def in_utc(periods: Sequence[Period]) -> Sequence[Period]:
    """Periods with their times in UTC, where differences are durations. Raises Invalid.

    Refuses periods that run backwards, overlap or give energy back.
    """
    if any(one.start.tzinfo is not dt.UTC or one.end.tzinfo is not dt.UTC for one in periods):
        periods = [
            replace(one, start=one.start.astimezone(dt.UTC), end=one.end.astimezone(dt.UTC))
            for one in periods
        ]
    backwards = any(one.end < one.start or one.energy_wh < 0 for one in periods)
    if backwards or any(second.start < first.end for first, second in pairwise(periods)):
        raise Invalid(
            fields={"periods": ["Must be in order of time, not overlap, and not give energy back."]}
        )
    return periods


def cut(periods: Iterable[Period], rates: Rates) -> Iterator[Segment]:
    """Cut periods so that one set of prices applies to each segment.

    Energy is spread evenly over a period.
    """
    before_wh: Share = 0
    for period in periods:
        whole = _whole(period, before_wh)
        for part in _at_moments(whole, period.end, rates.moments):
            yield from _at_energies(part, rates.energies)
        before_wh += period.energy_wh


def _whole(period: Period, before_wh: Share) -> Segment:
    us = (period.end - period.start) // MICROSECOND
    power_w = period.power_w
    if power_w is None and us:
        power_w = period.energy_wh * US_AN_HOUR // us
    return Segment(period.start, us, period.energy_wh, before_wh, power_w, period.state)


def _at_moments(whole: Segment, end: dt.datetime, moments: list[dt.datetime]) -> Iterator[Segment]:
    first, last = bisect_right(moments, whole.start), bisect_left(moments, end)
    if first >= last:
        yield whole
        return
    inside = [(moment - whole.start) // MICROSECOND for moment in moments[first:last]]
    for start_us, end_us in pairwise([0, *inside, whole.duration_us]):
        passed_wh = Fraction(whole.energy_wh * start_us, whole.duration_us)
        yield whole._replace(
            start=whole.start + start_us * MICROSECOND,
            duration_us=end_us - start_us,
            energy_wh=Fraction(whole.energy_wh * (end_us - start_us), whole.duration_us),
            before_wh=whole.before_wh + passed_wh,
        )


def _at_energies(part: Segment, energies: list[int]) -> Iterator[Segment]:
    after_wh = part.before_wh + part.energy_wh
    first, last = bisect_right(energies, part.before_wh), bisect_left(energies, after_wh)
    if first >= last:
        yield part
        return
    for low, high in pairwise([part.before_wh, *energies[first:last], after_wh]):
        start_us = _us_until(part, low)
        yield part._replace(
            start=part.start + start_us * MICROSECOND,
            duration_us=_us_until(part, high) - start_us,
            energy_wh=high - low,
            before_wh=low,
        )


def _us_until(part: Segment, energy_wh: Share) -> int:
    """When the session's energy passes this, in microseconds from the start of the part."""
    return int(part.duration_us * (energy_wh - part.before_wh) / Fraction(part.energy_wh))
