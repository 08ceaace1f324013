"""What decides in the study: told what Kubat would be told, it says when to act.

`Reactive` is what other systems do, where they stop at all. The product's own decisions are
behind the same protocol in `predictive`.
"""

import datetime as dt
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .deal import Deal


@dataclass(frozen=True, slots=True)
class Told:
    """A sample as Kubat has it: times by our clock, energy since the start of the session."""

    at: dt.datetime
    received_at: dt.datetime
    energy_wh: float
    power_w: float | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A stop as Kubat saw it: when the RemoteStop left, how often, and when delivery ended."""

    asked_at: dt.datetime | None
    asked: int
    told: Told


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do unless something is heard before; None is nothing.

    `limits` is a TxProfile for the station: from (our time) on, so many W.
    """

    stop_at: dt.datetime | None = None
    ask_at: dt.datetime | None = None
    limits: tuple[tuple[dt.datetime, float], ...] | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """What Kubat knows of a session from its start."""

    deal: Deal
    started_at: dt.datetime
    interval_s: float
    full_w: float
    has_profiles: bool


class Policy(Protocol):
    """One for each session."""

    def begin(self) -> Plan: ...

    def hear(self, told: Told) -> Plan: ...

    def asked(self, now: dt.datetime) -> Plan: ...

    def end(self, ended: Ended) -> None: ...


class Reactive:
    """Stop after the sample that crossed the limit."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known = [(session.started_at, 0.0)]

    def begin(self) -> Plan:
        return Plan()

    def hear(self, told: Told) -> Plan:
        self._known.append((told.at, told.energy_wh))
        deal = self._session.deal
        is_over = deal.is_reached(self._energy_at, told.at)
        return Plan(stop_at=told.received_at) if is_over else Plan()

    def asked(self, now: dt.datetime) -> Plan:
        return Plan()

    def end(self, ended: Ended) -> None:
        """It learns nothing."""

    def _energy_at(self, at: dt.datetime) -> float:
        return energy_between(self._known, at)


def energy_between(known: Sequence[tuple[dt.datetime, float]], at: dt.datetime) -> float:
    """The energy by a moment, evenly between the points that are known; the last one stays."""
    index = bisect_left(known, at, key=lambda point: point[0])
    if index >= len(known):
        return known[-1][1]
    (begin, low), (end, high) = known[max(0, index - 1)], known[index]
    span_s = (end - begin).total_seconds()
    return low + (high - low) * (at - begin).total_seconds() / span_s if span_s else high
