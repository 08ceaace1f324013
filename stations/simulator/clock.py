"""The clock of a station, which may be wrong, and the one that only counts seconds."""

import datetime as dt
import time

TOLERATED = dt.timedelta(seconds=5)


class Clock:
    """Energy is counted by the steady seconds: they go on when the time is set."""

    def __init__(self) -> None:
        self._offset = dt.timedelta(0)

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self._offset

    def set(self, moment: dt.datetime) -> None:
        self._offset = moment - dt.datetime.now(dt.UTC)

    def heed(self, told: dt.datetime) -> bool:
        """Take the server's time where ours is far from it, and say whether that was so."""
        is_wrong = abs(told - self.now()) > TOLERATED
        if is_wrong:
            self.set(told)
        return is_wrong

    def steady_s(self) -> float:
        return time.monotonic()


def stamp(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
