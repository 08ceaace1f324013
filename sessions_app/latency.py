"""How long a station goes on delivering after a stop was decided: observed, and learned. Pure.

It is everything between our decision and the end: our own commit, the network, the station, and
what the car takes to let go. So whatever is slow there, the next stop leaves earlier by as much.
"""

import datetime as dt
import statistics
from collections.abc import Sequence

from .outlook import HOUR_S, Course, energy_at

UNLEARNED_S = 1.0
"""What is assumed of a station and a model that were never stopped."""
LONGEST_S = 30.0
"""Anything longer is a lost call or a station that ignored us: nothing to expect the next time."""
KEPT = 9
LEAST_POWER_W = 500.0
FRESH = dt.timedelta(seconds=30)
FINE_S = 0.5
"""A register that needs longer for one step cannot tell when it stopped: then the clocks do."""


def observed_s(
    course: Course, *, decided_at: dt.datetime, stop_wh: float, ended_at: dt.datetime
) -> float | None:
    """Return how long one stop took, in seconds; None where that cannot be told.

    `course` is from before the decision, `stop_wh` what was delivered in the end. Energy tells it
    best: a power that fell meanwhile counts as much as time.
    """
    is_fresh = decided_at - course.last.at <= FRESH
    if is_fresh and course.power_w >= LEAST_POWER_W and _step_s(course) <= FINE_S:
        late_s = (stop_wh - energy_at(course, decided_at)) * HOUR_S / course.power_w
    else:
        late_s = (ended_at - decided_at).total_seconds()
    return max(late_s, 0.0) if late_s < LONGEST_S else None


def learned_s(samples: Sequence[float]) -> float:
    """What to expect after these stops: the median of the last ones; the assumed without any."""
    return statistics.median(samples[-KEPT:]) if samples else UNLEARNED_S


def _step_s(course: Course) -> float:
    return course.grain_wh * HOUR_S / course.power_w
