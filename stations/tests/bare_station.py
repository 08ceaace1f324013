"""A charging station on raw WebSockets for tests: it knows nothing of our code or of python-ocpp.

It sends and expects exact frames, answers calls by a table, and keeps everything it received.
"""

import asyncio
import base64
import itertools
import json
import ssl
from collections.abc import Callable
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect

Payload = dict[str, Any]
Answer = Payload | list[Any] | Callable[[Payload], Any] | None
"""A payload; a list [code, description] for a CALLERROR; a function of the request; or silence."""

ANSWERS: dict[str, Answer] = {
    "RemoteStartTransaction": {"status": "Accepted"},
    "RemoteStopTransaction": {"status": "Accepted"},
    "GetConfiguration": {"configurationKey": [], "unknownKey": []},
    "ChangeConfiguration": {"status": "Accepted"},
}


class BareStation:
    """`async with BareStation(url) as station: await station.call("Heartbeat", {})`."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        subprotocols: tuple[str, ...] = ("ocpp1.6",),
        headers: dict[str, str] | None = None,
        answers: dict[str, Answer] | None = None,
        user: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.url = url
        self.tls = tls
        self.subprotocols = subprotocols
        self.headers = dict(headers or {})
        if key is not None:
            user = url.rstrip("/").rsplit("/", 1)[1] if user is None else user
            token = base64.b64encode(f"{user}:{key}".encode()).decode()
            self.headers["Authorization"] = f"Basic {token}"
        self.answers = {**ANSWERS, **(answers or {})}
        self.frames: list[Any] = []
        self.calls: list[tuple[str, Payload]] = []
        self.call_ids: list[str] = []
        self._ids = itertools.count(1)
        self._replies: dict[str, asyncio.Future[list[Any]]] = {}
        self._changed = asyncio.Condition()
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "BareStation":
        await self.connect()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    @property
    def socket(self) -> ClientConnection:
        assert self._socket is not None
        return self._socket

    @property
    def close_code(self) -> int | None:
        return self.socket.close_code

    async def connect(self) -> None:
        """Open the socket; raises websockets' InvalidStatus when the handshake is refused."""
        self._socket = await connect(
            self.url,
            subprotocols=[websockets.Subprotocol(name) for name in self.subprotocols] or None,
            additional_headers=self.headers,
            max_size=None,
            compression=None,
            ssl=self.tls,
        )
        self._reader = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Close the socket with its closing handshake."""
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await self._reader

    async def drop(self) -> None:
        """Break the TCP connection without a word."""
        self.socket.transport.abort()
        if self._reader is not None:
            await self._reader

    async def wait_closed(self, *, within: float = 10) -> int | None:
        """Wait until the server has closed the socket; return the close code."""
        await asyncio.wait_for(self.socket.wait_closed(), within)
        return self.close_code

    async def send_text(self, text: str) -> None:
        await self.socket.send(text)

    async def send_frame(self, frame: Any) -> None:
        await self.send_text(json.dumps(frame))

    async def call(
        self, action: str, payload: Payload, *, message_id: str | None = None, within: float = 10
    ) -> Payload:
        """Send one call and return the payload of its CALLRESULT."""
        reply = await self.ask(action, payload, message_id=message_id, within=within)
        assert reply[0] == 3, reply
        assert len(reply) == 3, reply
        return reply[2]

    async def ask(
        self, action: str, payload: Any, *, message_id: str | None = None, within: float = 10
    ) -> list[Any]:
        """Send one call and return its whole answer, a CALLRESULT or a CALLERROR."""
        message_id = message_id or f"m{next(self._ids)}"
        return await self.exchange(
            json.dumps([2, message_id, action, payload]), message_id, within=within
        )

    async def exchange(self, text: str, message_id: str, *, within: float = 10) -> list[Any]:
        """Send a text and return the frame that answers `message_id`."""
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._replies[message_id] = future
        await self.send_text(text)
        return await asyncio.wait_for(future, within)

    async def boot(self, **fields: Any) -> Payload:
        return await self.call(
            "BootNotification",
            {"chargePointVendor": "Bare", "chargePointModel": "Station", **fields},
        )

    async def expect_call(self, action: str, *, count: int = 1, within: float = 10) -> Payload:
        """Wait until the server has made its `count`th call of this action; return its payload."""

        def found() -> list[Payload]:
            return [payload for name, payload in self.calls if name == action]

        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: len(found()) >= count), within)
        return found()[count - 1]

    async def _read(self) -> None:
        try:
            async for text in self.socket:
                await self._take(json.loads(text))
        except websockets.ConnectionClosed:
            pass
        async with self._changed:
            self._changed.notify_all()

    async def _take(self, frame: Any) -> None:
        async with self._changed:
            self.frames.append(frame)
            if frame[0] == 2:
                self.call_ids.append(frame[1])
                self.calls.append((frame[2], frame[3]))
            self._changed.notify_all()
        if frame[0] == 2:
            await self._answer(frame[1], frame[2], frame[3])
        elif frame[1] in self._replies and not self._replies[frame[1]].done():
            self._replies[frame[1]].set_result(frame)

    async def _answer(self, message_id: str, action: str, payload: Payload) -> None:
        answer = self.answers.get(action, ["NotImplemented", ""])
        if callable(answer):
            answer = answer(payload)
            if asyncio.iscoroutine(answer):
                answer = await answer
        if isinstance(answer, list):
            await self.send_frame([4, message_id, *answer, {}])
        elif answer is not None:
            await self.send_frame([3, message_id, answer])
