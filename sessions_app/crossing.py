"""When a session whose time has a price will have used up its hold. Pure.

The total rises in straight pieces, so straight guesses find the moment in a few steps (regula
falsi; the end that stays counts half, as in its Illinois form). Every third step is a half, for
totals that rise in jumps.
"""

import datetime as dt
from collections.abc import Callable

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
