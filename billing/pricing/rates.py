"""Which price applies when: the conditions of one session cut into regions without change."""

import datetime as dt
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from .local_time import clock_moments
from .terms import DIMENSIONS, Component, Dimension, Moment, Restrictions, Share, Terms

Candidates = tuple[tuple[Restrictions | None, Component], ...]


@dataclass(frozen=True, slots=True)
class Rates:
    """The prices of a session that begins at `start`.

    What applies can change only at one of `moments` (UTC), and when the session's energy passes
    one of `energies` (Wh) or its power one of `powers` (W); all are in order.
    """

    start: dt.datetime
    zone: zoneinfo.ZoneInfo
    candidates: dict[Dimension, Candidates]
    moments: list[dt.datetime]
    energies: list[int]
    powers: list[int]

    @classmethod
    def of(
        cls, terms: Terms, start: dt.datetime, end: dt.datetime, zone: zoneinfo.ZoneInfo
    ) -> "Rates":
        candidates = {dimension: tuple(terms.candidates(dimension)) for dimension in DIMENSIONS}
        limits = [one for one, _ in chain.from_iterable(candidates.values()) if one is not None]
        return cls(
            start,
            zone,
            candidates,
            moments=sorted(_moments(limits, start, end, zone)) if limits else [],
            energies=_bounds(chain.from_iterable((one.min_wh, one.max_wh) for one in limits)),
            powers=_bounds(
                chain.from_iterable((one.min_power_w, one.max_power_w) for one in limits)
            ),
        )

    def at(
        self, moment: dt.datetime, energy_wh: Share, power_w: int | None
    ) -> dict[Dimension, Component]:
        """The component of each dimension that applies: its first whose restrictions match."""
        conditions = Moment(moment.astimezone(self.zone), moment - self.start, energy_wh, power_w)
        return {
            dimension: component
            for dimension, candidates in self.candidates.items()
            if (component := _first(candidates, conditions))
        }


def _first(candidates: Candidates, conditions: Moment) -> Component | None:
    return next(
        (
            component
            for restrictions, component in candidates
            if restrictions is None or restrictions.match(conditions)
        ),
        None,
    )


def _moments(
    limits: list[Restrictions], start: dt.datetime, end: dt.datetime, zone: zoneinfo.ZoneInfo
) -> set[dt.datetime]:
    """When time alone can change what applies, strictly between two moments."""
    durations = chain.from_iterable((one.min_duration, one.max_duration) for one in limits)
    found = {start + duration for duration in durations if duration is not None}
    if any(one.has_clock for one in limits):
        shown = chain.from_iterable(one.times for one in limits)
        times = {dt.time.min, *(time for time in shown if time is not None)}
        found.update(clock_moments(start, end, times, zone))
    return {moment for moment in found if start < moment < end}


def _bounds(limits: Iterable[int | None]) -> list[int]:
    return sorted({limit for limit in limits if limit is not None})
