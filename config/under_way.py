"""Requests that are being answered: a process that ends waits for them, for a while.

One that were left when the event loop stops would hold the process for ever: its thread waits for
an answer of that loop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

logger = logging.getLogger(__name__)

Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]

ENDING = {
    "type": "http.response.start",
    "status": 503,
    "headers": [(b"Content-Length", b"0"), (b"Connection", b"close"), (b"Retry-After", b"1")],
}


class UnderWay:
    """An ASGI application around another that knows which requests it is at."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_ending = False

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if self._is_ending:
            await send(ENDING)
            await send({"type": "http.response.body", "body": b""})
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._application(scope, receive, send)
        finally:
            self._tasks.discard(task)

    async def finish(self, *, within_s: float, cancel_s: float) -> None:
        """Refuse new requests (503), and wait for the others; a download is cut off in the end.

        What was cut off gets `cancel_s` to leave its thread.
        """
        self._is_ending = True
        left = await _wait(set(self._tasks), within_s)
        if left:
            logger.warning("ending with %d requests unanswered", len(left))
        for task in left:
            task.cancel()
        await _wait(left, cancel_s)


async def _wait(tasks: set[asyncio.Task[Any]], within_s: float) -> set[asyncio.Task[Any]]:
    """Wait for tasks; return those that go on. What becomes of them is their owner's."""
    if not tasks:
        return set()
    return (await asyncio.wait(tasks, timeout=within_s))[1]
