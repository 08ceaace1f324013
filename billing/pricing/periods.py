"""The stretches of a session, cut where the price can change."""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple

from ..energy import Wh
from ..errors import Invalid
from .rates import Rates

State = Literal["charging", "parking"]
MICROSECOND = dt.timedelta(microseconds=1)
_POWER_SCALE = 3_600_000_000  # microseconds an hour


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of one session: aware UTC times, energy in Wh, mean power in W if known.

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
    energy_wh: int
    before_wh: int
    power_w: int | None
    state: State


def check(periods: Sequence[Period]) -> None:
    """Refuse periods that run backwards, overlap or give energy back. Raises Invalid."""
    backwards = any(period.end < period.start for period in periods)
    overlap = any(second.start < first.end for first, second in pairwise(periods))
    if backwards or overlap or any(period.energy_wh < 0 for period in periods):
        raise Invalid(
            fields={"periods": ["Must be in order of time, not overlap, and deliver energy."]}
        )


def cut(periods: Iterable[Period], rates: Rates) -> Iterator[Segment]:
    """Cut periods so that one set of prices applies to each segment.

    Energy is spread evenly over a period; its share at a cut is rounded half up to Wh, and the
    shares add up to the whole.
    """
    before_wh = 0
    for period in periods:
        power_w = _power_w(period)
        for part in _at_moments(period, rates.moments):
            yield from _at_energies(part, before_wh, power_w, rates.energies)
            before_wh += part.energy_wh


def _power_w(period: Period) -> int | None:
    if period.power_w is not None or period.end == period.start:
        return period.power_w
    return period.energy_wh * _POWER_SCALE // ((period.end - period.start) // MICROSECOND)


def _at_moments(period: Period, moments: list[dt.datetime]) -> Iterator[Period]:
    first, last = bisect_right(moments, period.start), bisect_left(moments, period.end)
    if first >= last:
        yield period
        return
    edges = [period.start, *moments[first:last], period.end]
    totals = [_share(period, edge) for edge in edges]
    for (start, end), (before, after) in zip(pairwise(edges), pairwise(totals), strict=True):
        yield replace(period, start=start, end=end, energy_wh=Wh(after - before))


def _share(period: Period, until: dt.datetime) -> int:
    """The energy of a period until a moment in it, rounded half up."""
    whole = (period.end - period.start) // MICROSECOND
    part = (until - period.start) // MICROSECOND
    return (2 * period.energy_wh * part + whole) // (2 * whole)


def _at_energies(
    period: Period, before_wh: int, power_w: int | None, energies: list[int]
) -> Iterator[Segment]:
    duration = period.end - period.start
    total = period.energy_wh
    first, last = bisect_right(energies, before_wh), bisect_left(energies, before_wh + total)
    if first >= last:
        us = duration // MICROSECOND
        yield Segment(period.start, us, total, before_wh, power_w, period.state)
        return
    edges = [before_wh, *energies[first:last], before_wh + total]
    for low, high in pairwise(edges):
        start = duration * (low - before_wh) // total
        end = duration * (high - before_wh) // total
        us = (end - start) // MICROSECOND
        yield Segment(period.start + start, us, high - low, low, power_w, period.state)
