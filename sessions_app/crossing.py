"""When a session whose time has a price will have used up its hold. Pure.

The total rises in straight pieces, so straight guesses find the moment in a few steps (regula
falsi; the end that stays counts half, as in its Illinois form). Every third step is a half, for
totals that rise in jumps.
"""

import datetime as dt
from collections.abc import Callable

from .outlook import Course, energy_at

CLOSE = dt.timedelta(seconds=0.25)
CLOSE_MINOR = 1
MOST_TRIES = 24


def find(
    left: Callable[[dt.datetime], int], *, low: dt.datetime, high: dt.datetime
) -> dt.datetime | None:
    """Return when nothing of the hold is `left`, between two moments; None where that is later.

    It is right within a quarter of a second or one minor unit. `left` never rises.
    """
    left_low, left_high = left(low), left(high)
    if left_low <= 0:
        return low
    if left_high > 0:
        return None
    weight_low, weight_high = float(left_low), float(left_high)
    for tried in range(MOST_TRIES):
        if high - low <= CLOSE:
            break
        share = 0.5 if tried % 3 == 2 else weight_low / (weight_low - weight_high)
        middle = low + (high - low) * share
        left_middle = left(middle)
        if abs(left_middle) <= CLOSE_MINOR:
            return middle
        if left_middle > 0:
            low, weight_low, weight_high = middle, float(left_middle), weight_high / 2
        else:
            high, weight_high, weight_low = middle, float(left_middle), weight_low / 2
    return high


def least_wh(
    course: Course,
    left: Callable[[Course, dt.datetime], int],
    *,
    low: dt.datetime,
    high: dt.datetime,
) -> float | None:
    """Return the least energy with which nothing may be left of a hold; None where that is later.

    It is that of going on at the present power or at full power: where the price falls with the
    time of day, more power buys less before it does. A plan that nobody can renew must end there.
    """
    courses = (course, course._replace(power_w=course.full_w))
    ends = [
        (one, find(lambda at, one=one: left(one, at), low=low, high=high))  # type: ignore[misc]
        for one in courses
    ]
    return min((energy_at(one, at) for one, at in ends if at), default=None)
