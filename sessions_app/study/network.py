"""The network between a station and Kubat: how long messages take, and when nothing passes."""

import random
from dataclasses import dataclass, field

from .agenda import Agenda, Deed

RECONNECT_S = 2.0
"""How long a station takes to be back once the network is."""


@dataclass(frozen=True, slots=True)
class Route:
    """A kind of network: a message takes about `delay_s`, and every `tail`-th ten times that."""

    name: str
    delay_s: float
    tail: float
    lost: float
    """The share of samples that never come."""


@dataclass(slots=True)
class Network:
    """One station's way to Kubat. `outages` are stretches (from, to) in which nothing passes.

    What the station says then is queued and told in order afterwards, as OCPP wants it; what
    Kubat says is lost.
    """

    agenda: Agenda
    route: Route
    outages: tuple[tuple[float, float], ...]
    chance: random.Random
    _heard_s: float = field(default=0.0, init=False)

    def up(self, deed: Deed) -> None:
        """Tell Kubat: messages of one socket arrive in order."""
        leaves_s = self._back_s(self.agenda.now_s)
        self._heard_s = max(self._heard_s, leaves_s + self._delay_s())
        self.agenda.at(self._heard_s, deed)

    def down(self, deed: Deed) -> bool:
        """Tell the station. Returns False where the network is away."""
        now_s = self.agenda.now_s
        if self._back_s(now_s) != now_s:
            return False
        self.agenda.at(now_s + self._delay_s(), deed)
        return True

    def loses(self) -> bool:
        """Whether this sample is one of those that never come."""
        return self.chance.random() < self.route.lost

    def returns(self) -> list[float]:
        """When the station is back after each outage."""
        return [self._back_s(start) for start, _ in self.outages]

    def _back_s(self, moment_s: float) -> float:
        for start, end in self.outages:
            if start <= moment_s < end + RECONNECT_S:
                return end + RECONNECT_S
        return moment_s

    def _delay_s(self) -> float:
        slow = 10 if self.chance.random() < self.route.tail else 1
        return self.route.delay_s * slow * self.chance.lognormvariate(0, 0.35)
