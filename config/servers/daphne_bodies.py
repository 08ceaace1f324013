"""Large bodies with Daphne: bounded as they come, read from disk, sent as fast as they are read.

Daphne as it is takes bodies of any size, puts each into memory whole before the application sees
it, lets Twisted parse forms in memory as well (600 MB for a form of 50 MB), and keeps in memory
what a slow reader has not taken yet.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from io import BytesIO
from typing import IO, Any

from daphne.http_protocol import WebRequest

from .limits import largest_body, refusal

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Application = Callable[[Event, Receive, Any], Awaitable[None]]

BODY = "kubat.body"
"""The key of a scope under which a body lies that is on disk."""
PIECE_BYTES = 64 * 1024


class PacedRequest(WebRequest):
    """Daphne's request, with a bounded body and a sender that waits for its reader."""

    content: IO[bytes]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.body: IO[bytes] | None = None
        self._left_bytes = largest_body()
        self._is_refused = False
        self._may_send = asyncio.Event()
        self._may_send.set()
        super().__init__(*args, parsePOSTFormSubmission=False, **kwargs)  # Django parses forms

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        if length is not None and length > self._left_bytes:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            self._refuse()
        elif not self._is_refused:
            super().handleContentChunk(data)

    def process(self) -> Any:
        """Show Daphne an empty body where the real one is on disk; `from_disk` brings that."""
        if not isinstance(self.content, BytesIO):
            self.body, self.content = self.content, BytesIO()
        return super().process()

    async def wait_for_reader(self) -> None:
        """Return when the socket takes more."""
        if self.producer is None and not self.finished and self.channel is not None:
            self.registerProducer(self, True)
        await self._may_send.wait()

    def pauseProducing(self) -> None:
        self._may_send.clear()

    def resumeProducing(self) -> None:
        self._may_send.set()

    def stopProducing(self) -> None:
        self._may_send.set()

    def finish(self) -> None:
        if self.producer is not None:
            self.unregisterProducer()
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        self._may_send.set()
        super().connectionLost(reason)

    def _refuse(self) -> None:
        if not self._is_refused:
            self._is_refused = True
            self.transport.write(refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
            self.channel.loseConnection()


def from_disk(application: Application) -> Application:
    """An ASGI application that gets bodies that are on disk piece by piece."""

    async def serve(scope: Event, receive: Receive, send: Any) -> None:
        body = scope.pop(BODY, None)
        if body is None:
            await application(scope, receive, send)
            return
        with body:
            await application(scope, _reader(body, receive), send)

    return serve


def _reader(body: IO[bytes], receive: Receive) -> Receive:
    is_whole = False

    async def next_event() -> Event:
        nonlocal is_whole
        if not is_whole:
            piece = await asyncio.to_thread(body.read, PIECE_BYTES)
            if piece:
                return {"type": "http.request", "body": piece, "more_body": True}
            is_whole = True
        return await receive()  # Daphne's empty body, which ends this one; then the disconnect

    return next_event
