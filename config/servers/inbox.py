"""What a socket brought and its application has not taken yet, within a bound.

Neither server has one: Daphne reads on while the application is busy (150,000 frames of 1 kB were
held in memory), uvicorn pauses and resumes for each frame, which is two system calls a frame.
"""

import asyncio
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]

ROOM_BYTES = 256 * 1024
EVENT_BYTES = 512
"""What an event takes beside its text."""


class Inbox:
    """A queue for one reader that stops the network when it is full, until it is empty.

    One a socket, so it is small: asyncio.Queue makes five objects that are as large as this one.
    """

    __slots__ = ("_events", "_pause", "_resume", "_taken_bytes", "_waiter", "is_full")

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._events: list[Event] = []
        self._waiter: asyncio.Future[None] | None = None
        self._pause, self._resume = pause, resume
        self.is_full = False
        self._taken_bytes = 0

    def put_nowait(self, event: Event) -> None:
        self._events.append(event)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._taken_bytes += EVENT_BYTES + len(event.get("text") or event.get("bytes") or ())
        if self._taken_bytes > ROOM_BYTES and not self.is_full:
            self.is_full = True
            self._pause()

    async def get(self) -> Event:
        while not self._events:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        event = self._events.pop(0)
        if not self._events:
            self._taken_bytes = 0
            if self.is_full:
                self.is_full = False
                self._resume()
        return event
