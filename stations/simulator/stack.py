"""The charging profiles that a station holds (OCPP 1.6 §3.13)."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

from .clock import Clock
from .memory import Transaction
from .profiles import RUNNING, WHOLE_STATION, Profile, compose, limit_w
from .wire import Payload

MAX_PROFILES, MAX_LEVEL, MAX_PERIODS = 10, 9, 24
LEAST_STEP_S = 0.01


class Stack:
    """They outlive a loss of power; those of a charge end with it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._profiles: list[Profile] = []

    def add(self, profile: Profile) -> bool:
        """Take a profile in the place of what it replaces; False where it does not fit."""
        left = [held for held in self._profiles if not profile.replaces(held)]
        if len(left) >= MAX_PROFILES or not _is_within_bounds(profile):
            return False
        self._profiles = [*left, profile]
        return True

    def clear(self, wanted: Payload) -> bool:
        """Drop what matches, and say whether there was any."""
        return self._drop(lambda profile: profile.matches(wanted))

    def forget_charge(self, connector_id: int) -> None:
        place = (connector_id, RUNNING)
        self._drop(lambda profile: (profile.connector_id, profile.purpose) == place)

    def limit_w(self, connector_id: int, transaction: Transaction) -> Decimal | None:
        return limit_w(self._profiles, connector_id, self._clock.now(), started(transaction))

    def steady_s(self, transaction: Transaction) -> float:
        """How long no limit changes; at most a minute."""
        now, started_at = self._clock.now(), started(transaction)
        changes = [m for profile in self._profiles for m in profile.changes(now, started_at)]
        soonest = min(changes, default=now + dt.timedelta(minutes=1))
        return max((soonest - now).total_seconds(), LEAST_STEP_S)

    def compose(
        self,
        connector_id: int,
        transaction: Transaction | None,
        *,
        duration_s: int,
        most_w: Decimal,
    ) -> tuple[dt.datetime, list[tuple[int, Decimal]]]:
        """Return when the composite schedule begins, and its limits as (seconds, W)."""
        now = self._clock.now().replace(microsecond=0)
        periods = compose(
            self._profiles,
            connector_id,
            at=now,
            started_at=started(transaction) if transaction else now,
            duration_s=duration_s,
            most_w=most_w,
        )
        return now, periods

    def _drop(self, is_meant: Callable[[Profile], bool]) -> bool:
        left = [profile for profile in self._profiles if not is_meant(profile)]
        is_any = len(left) < len(self._profiles)
        self._profiles = left
        return is_any


def started(transaction: Transaction) -> dt.datetime:
    return dt.datetime.fromisoformat(transaction.started_at)


def _is_within_bounds(profile: Profile) -> bool:
    periods = profile.payload["chargingSchedule"]["chargingSchedulePeriod"]
    is_placed = profile.purpose != WHOLE_STATION or profile.connector_id == 0
    fits = profile.level <= MAX_LEVEL and 0 < len(periods) <= MAX_PERIODS
    return is_placed and fits and periods[0]["startPeriod"] == 0
