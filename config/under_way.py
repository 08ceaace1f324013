"""Requests that are being answered: a process that ends waits for them, for a while."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

logger = logging.getLogger(__name__)

Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]


class UnderWay:
    """An ASGI application around another that knows how many requests it is at."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._count = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        self._count += 1
        self._is_idle.clear()
        try:
            await self._application(scope, receive, send)
        finally:
            self._count -= 1
            if not self._count:
                self._is_idle.set()

    async def finish(self, within_s: float) -> None:
        """Wait until every request is answered, or the time is over: a download may last."""
        try:
            async with asyncio.timeout(within_s):
                await self._is_idle.wait()
        except TimeoutError:
            logger.warning("ended with %d requests unanswered", self._count)
