"""What truly flowed, moment by moment: nobody in the study but the study itself knows it."""

import datetime as dt
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

EPOCH = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)
"""When every session begins, by the right clock."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What was delivered, moment by moment, as nobody but the study knows it."""

    knots: Sequence[tuple[float, float]]

    def energy_wh(self, at_s: float) -> float:
        """The energy by a second of the session."""
        index = bisect_left(self.knots, at_s, key=lambda knot: knot[0])
        if index >= len(self.knots):
            return self.knots[-1][1]
        (begin, low), (end, high) = self.knots[max(0, index - 1)], self.knots[index]
        share = (at_s - begin) / (end - begin) if end > begin else 1.0
        return low + (high - low) * share

    def energy_at(self, at: dt.datetime) -> float:
        return self.energy_wh((at - EPOCH).total_seconds())


def moment(at_s: float) -> dt.datetime:
    """A second of the session, by the right clock."""
    return EPOCH + dt.timedelta(seconds=at_s)
