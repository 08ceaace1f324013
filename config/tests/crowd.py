"""Stations by the thousand for end-to-end tests: bare sockets, and nothing of our own code.

A `LightStation` is one WebSocket. A `Keeper` is a station that behaves: one call at a time, kept
until it is answered, sent again on the next socket; it comes back by itself.
"""

import asyncio
import base64
import contextlib
import datetime as dt
import itertools
import json
import random
import struct
from typing import Any
from urllib.parse import urlsplit

UNMASKED = b"\0\0\0\0"
"""A mask that changes nothing: RFC 6455 wants one, and any will do."""
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
ACCEPTED = {"status": "Accepted"}
ANSWERS: dict[str, Any] = {
    "RemoteStartTransaction": ACCEPTED,
    "RemoteStopTransaction": ACCEPTED,
    "CertificateSigned": ACCEPTED,
    "ClearCache": ACCEPTED,
    "GetConfiguration": {"configurationKey": [], "unknownKey": []},
}


class LightStation(asyncio.Protocol):
    """One socket: what was sent and not answered, what was answered, and how it was closed."""

    def __init__(self, path: str, key: str = "") -> None:
        self.path, self.key = path, key
        self.status = 0
        self.close_code: int | None = None
        self.unanswered: dict[str, asyncio.Future[list[Any]]] = {}
        self.asked: list[tuple[str, Any]] = []
        self.closed = asyncio.get_running_loop().create_future()
        self.opened = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""

    @classmethod
    async def open(
        cls, url: str, key: str = "", *, within_s: float = 60, tls: Any = None
    ) -> "LightStation":
        """Open a socket. Raises ConnectionError where it is refused; `args[0]` is the status."""
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within_s):
            _, station = await loop.create_connection(
                lambda: cls(parts.path, key), parts.hostname, parts.port, ssl=tls
            )
            try:
                await station.opened
            except BaseException:
                station.abort()
                raise
        return station

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        lines = [
            f"GET {self.path} HTTP/1.1",
            "Host: 127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol: ocpp1.6",
        ]
        if self.key:
            user = self.path.rpartition("/")[2]
            token = base64.b64encode(f"{user}:{self.key}".encode()).decode()
            lines.append(f"Authorization: Basic {token}")
        transport.write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.status and not self._read_status():
            return
        while (frame := self._next_frame()) is not None:
            self._take(*frame)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(self.status))
        if not self.closed.done():
            self.closed.set_result(self.close_code)
        for future in self.unanswered.values():
            future.cancel()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def send(self, opcode: int, data: bytes) -> None:
        length = len(data)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
        else:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
        assert self._transport is not None
        self._transport.write(head + UNMASKED + data)

    def call(self, message_id: str, action: str, payload: Any) -> asyncio.Future[list[Any]]:
        """Send a call; the future is its answer, cancelled when the socket closes without one."""
        future = asyncio.get_running_loop().create_future()
        self.unanswered[message_id] = future
        self.send(TEXT, json.dumps([2, message_id, action, payload]).encode())
        return future

    def _read_status(self) -> bool:
        """Read the head of the server's answer; True once the socket is open."""
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        self.status = int(head.split()[1])
        if self.status == 101:
            self._buffer = rest
            self.opened.set_result(None)
            return True
        self.opened.set_exception(ConnectionError(self.status))
        self.abort()
        return False

    def _next_frame(self) -> tuple[int, bytes] | None:
        """Cut one whole frame of the server from the buffer; it sends no fragments."""
        if len(self._buffer) < 2:
            return None
        opcode, length, at = self._buffer[0] & 0xF, self._buffer[1], 2
        if length == 126:
            at = 4
            if len(self._buffer) < at:
                return None
            (length,) = struct.unpack("!H", self._buffer[2:4])
        if len(self._buffer) < at + length:
            return None
        data, self._buffer = self._buffer[at : at + length], self._buffer[at + length :]
        return opcode, data

    def _take(self, opcode: int, data: bytes) -> None:
        if opcode == CLOSE:
            self.close_code = struct.unpack("!H", data[:2])[0] if data else 1005
            self.send(CLOSE, data[:2])
        elif opcode == PING:
            self.send(PONG, data)
        elif opcode == TEXT:
            self._hear(json.loads(data))

    def _hear(self, message: list[Any]) -> None:
        if message[0] == 2:
            self.asked.append((message[2], message[3]))
            answer = [3, message[1], ANSWERS.get(message[2], {"status": "Rejected"})]
            self.send(TEXT, json.dumps(answer).encode())
            return
        future = self.unanswered.pop(message[1], None)
        if future is not None and not future.done():
            future.set_result(message)


class Keeper:
    """A station that keeps each message until it is answered, over any number of sockets."""

    def __init__(self, url: str, key: str = "", *, tls: Any = None) -> None:
        self.url, self.key, self.tls = url, key, tls
        self.name = url.rpartition("/")[2]
        self.answered: list[tuple[str, Any, Any]] = []
        """Action, payload and answer of what was confirmed."""
        self.errors: list[list[Any]] = []
        self.refusals: list[int] = []
        """The statuses of refused handshakes; 0 where there was no answer."""
        self.closes: list[int | None] = []
        self.asked: list[tuple[str, Any]] = []
        self.queue: list[tuple[str, Any, asyncio.Future[Any]]] = []
        self.socket: LightStation | None = None
        self.longest_wait_s = 0.0
        self._ids = itertools.count(1)
        self._more = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def put(self, action: str, payload: Any) -> asyncio.Future[Any]:
        """Queue a call; the future is the payload of its answer."""
        future = asyncio.get_running_loop().create_future()
        self.queue.append((action, payload, future))
        self._more.set()
        return future

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        if self.socket is not None:
            self.socket.abort()

    async def _run(self) -> None:
        while True:
            try:
                self.socket = await LightStation.open(self.url, self.key, tls=self.tls, within_s=30)
            except (OSError, TimeoutError) as error:
                is_status = isinstance(error, ConnectionError) and isinstance(error.args[0], int)
                status = error.args[0] if is_status and len(error.args) == 1 else 0
                self.refusals.append(status)
                await asyncio.sleep(random.uniform(0.5, 2))
                continue
            self.socket.asked = self.asked
            await self._talk(self.socket)
            self.closes.append(await self.socket.closed)
            await asyncio.sleep(random.uniform(0.1, 1))

    async def _talk(self, socket: LightStation) -> None:
        """Send what is queued, one after the other, until the socket closes."""
        while not socket.closed.done():
            if not self.queue:
                self._more.clear()
                more = asyncio.ensure_future(self._more.wait())
                await asyncio.wait((more, socket.closed), return_when=asyncio.FIRST_COMPLETED)
                more.cancel()
                continue
            action, payload, future = self.queue[0]
            began = asyncio.get_running_loop().time()
            answer = socket.call(f"{self.name}-{next(self._ids)}", action, payload)
            await asyncio.wait((answer,))
            if answer.cancelled():
                return
            took = asyncio.get_running_loop().time() - began
            self.longest_wait_s = max(self.longest_wait_s, took)
            self._confirm(answer.result(), action, payload, future)

    def _confirm(
        self, message: list[Any], action: str, payload: Any, future: asyncio.Future[Any]
    ) -> None:
        self.queue.pop(0)
        if message[0] == 3:
            self.answered.append((action, payload, message[2]))
            future.set_result(message[2])
        else:
            self.errors.append(message)
            future.set_exception(AssertionError(message))


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def expect(asked: list[tuple[str, Any]], action: str, *, within_s: float = 60) -> Any:
    """Wait until the server has asked for an action; return the payload of the last time."""
    async with asyncio.timeout(within_s):
        while True:
            for name, payload in reversed(asked):
                if name == action:
                    return payload
            await asyncio.sleep(0.05)
