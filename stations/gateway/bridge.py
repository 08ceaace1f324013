"""The one bridge from the event loop to the database.

Calls of stations run in a pool of their own: one slow query stalls its own socket only. What the
process itself must do in time has others, so that no station delays it: one for its lease and its
chores, one for stops at a limit.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0

_calls = ThreadPoolExecutor(settings.CSMS_GATEWAY_THREADS, thread_name_prefix="station-call")
_chores = ThreadPoolExecutor(2, thread_name_prefix="gateway-chore")
_limits = ThreadPoolExecutor(2, thread_name_prefix="limits")


class DatabaseAway(Exception):
    """The database did not answer for as long as a station may wait (P6)."""


def waiting() -> int:
    """How many calls of stations wait for a thread."""
    return _calls._work_queue.qsize()


async def in_database(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one database function for a station."""
    return await _run(_calls, function, *args, **kwargs)


async def as_chore(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one database function for the process itself."""
    return await _run(_chores, function, *args, **kwargs)


async def in_time(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one database function that cannot wait behind the calls of stations."""
    return await _run(_limits, function, *args, **kwargs)


async def patiently(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one repeatable database function for a station, over and over while it is away.

    Raises DatabaseAway after CSMS_DATABASE_WAIT_S. A commit whose confirmation was lost is run
    again: that is why every use case has one effect however often it runs (P3).
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.CSMS_DATABASE_WAIT_S
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return await _within(deadline, in_database(function, *args, **kwargs))
        except (OperationalError, InterfaceError, TimeoutError) as error:
            if loop.time() + pause_s >= deadline:
                raise DatabaseAway(str(error)) from error
            logger.warning("database away, waiting: %s", error)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


async def _within(deadline: float, work: Awaitable[T]) -> T:
    async with asyncio.timeout_at(deadline):
        return await work


async def _run(
    pool: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    def with_fresh_connection() -> T:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    return await sync_to_async(with_fresh_connection, thread_sensitive=False, executor=pool)()
