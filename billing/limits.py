"""How often something may be tried, counted in Django's cache for all processes together."""

import contextlib
import hashlib
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.core.cache import cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `times` within `period_s` seconds of the first, for one key."""

    name: str
    times: int
    period_s: int

    def wait_s(self, *key: str) -> int:
        """Return the seconds until another try is allowed; 0 when one is."""
        with _forgiving():
            started_at: float | None = cache.get(self._window(key))
            if started_at and cache.get(self._counter(key, started_at), 0) >= self.times:
                return max(1, math.ceil(started_at + self.period_s - time.time()))
        return 0

    def count(self, *key: str) -> None:
        """Count one try; the first of them opens the window."""
        now = time.time()
        with _forgiving():
            started_at = cache.get_or_set(self._window(key), now, self.period_s) or now
            counter = self._counter(key, started_at)
            if not cache.add(counter, 1, self.period_s):
                with contextlib.suppress(ValueError):  # the window closed at this very moment
                    cache.incr(counter)

    def clear(self, *key: str) -> None:
        with _forgiving():
            cache.delete(self._window(key))

    def _window(self, key: tuple[str, ...]) -> str:
        digest = hashlib.sha256("\n".join(key).encode()).hexdigest()
        return f"limit:{self.name}:{digest}"

    def _counter(self, key: tuple[str, ...], started_at: float) -> str:
        return f"{self._window(key)}:{started_at}"


@contextlib.contextmanager
def _forgiving() -> Iterator[None]:
    """Let people in while the cache is away: a limit is no reason to stand at the charger."""
    try:
        yield
    except RedisError as error:
        logger.warning("Nothing is limited while the cache is away: %s", error)
