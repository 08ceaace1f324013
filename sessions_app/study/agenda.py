"""The simulated clock: what happens when, in seconds since the session began. No time passes."""

import heapq
import itertools
from collections.abc import Callable

Deed = Callable[[], None]


class Agenda:
    """Deeds in the order of their moments; those of one moment in the order of their making."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._count = itertools.count()
        self._deeds: list[tuple[float, int, Deed]] = []

    def at(self, moment_s: float, deed: Deed) -> None:
        """Do a deed at a moment, or at once if that has passed."""
        heapq.heappush(self._deeds, (max(moment_s, self.now_s), next(self._count), deed))

    def run(self, until_s: float) -> None:
        """Let everything happen up to a moment, also what is added meanwhile."""
        while self._deeds and self._deeds[0][0] <= until_s:
            self.now_s, _, deed = heapq.heappop(self._deeds)
            deed()
        self.now_s = max(self.now_s, until_s)

    def clear(self) -> None:
        """Drop what was to come: the session is over."""
        self._deeds.clear()
