"""HTTP requests in flight: they are answered before the process ends, and none keeps it alive.

A view runs in a thread that waits for the event loop. When the loop ends first, that thread waits
for ever, and Python waits for the thread when it exits.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

logger = logging.getLogger(__name__)

FINISH_S = 2.0
CANCEL_S = 0.5
EXIT_S = 3.0
"""How long threads that are still at work may delay the exit: a database that hangs, hangs them."""

Event = Mapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class Requests:
    """An ASGI application for HTTP that knows what is being answered."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._running: set[asyncio.Task[Any]] = set()
        self._is_ending = False

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if self._is_ending:
            await _refuse(send)
            return
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            await self._application(scope, receive, send)
        finally:
            self._running.discard(task)

    async def finish(self) -> None:
        """Refuse what comes from now on, and let what is running end: by itself, or cut off."""
        self._is_ending = True
        for wait_s in (FINISH_S, CANCEL_S):
            if not self._running:
                return
            _, late = await asyncio.wait(self._running, timeout=wait_s)
            for task in late:
                task.cancel()
        if self._running:
            logger.warning("ended with %d requests unanswered", len(self._running))


async def _refuse(send: Send) -> None:
    """Answer 503 and close: a client that kept its connection asks elsewhere."""
    headers = [(b"connection", b"close"), (b"content-length", b"0"), (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def exit_soon() -> None:
    """End this process shortly, whatever its threads wait for: all that is answered is stored."""

    def leave() -> None:
        logger.warning("ended with threads at work")
        os._exit(0)

    timer = threading.Timer(EXIT_S, leave)
    timer.daemon = True
    timer.start()
