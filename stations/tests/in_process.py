"""A bare station on the real consumer and gateway without a network: ASGI events are its wire."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from stations.gateway.consumer import StationConsumer
from stations.gateway.process import Gateway
from stations.tests.bare_station import BareStation

DENIAL = "websocket.http.response"


class Denied(Exception):
    """The handshake was answered with a status."""

    def __init__(self, status: int, headers: dict[bytes, bytes]) -> None:
        super().__init__(str(status))
        self.status = status
        self.headers = headers


class MemorySocket:
    """What BareStation uses of a websockets connection, played by an ASGI application.

    A half-open one does not answer a close: it goes on until it is closed from its own side.
    """

    def __init__(self, gateway: Gateway, scope: dict[str, Any], *, is_half_open: bool) -> None:
        self._is_half_open = is_half_open
        self.close_code: int | None = None
        self.subprotocol: str | None = None
        self._to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_server: asyncio.Queue[str | None] = asyncio.Queue()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closed = asyncio.Event()
        self._to_server.put_nowait({"type": "websocket.connect"})
        application = StationConsumer.as_asgi(gateway=gateway)
        self._server = asyncio.create_task(application(scope, self._to_server.get, self._take))

    async def open(self) -> None:
        done, _ = await asyncio.wait(
            (self._opened, self._server), return_when=asyncio.FIRST_COMPLETED
        )
        if self._opened not in done:
            await self._server
        await self._opened

    async def send(self, message: str | bytes) -> None:
        kind = "text" if isinstance(message, str) else "bytes"
        self._to_server.put_nowait({"type": "websocket.receive", kind: message})

    async def close(self) -> None:
        """Close from the station's side, and wait until the server has taken note."""
        if not self._closed.is_set():
            self._end(1000)
        self._to_server.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self._server

    async def wait_closed(self) -> None:
        await self._closed.wait()

    async def __aiter__(self) -> AsyncIterator[str]:
        while (text := await self._from_server.get()) is not None:
            yield text

    async def _take(self, event: dict[str, Any]) -> None:
        if event["type"] == "websocket.accept":
            self.subprotocol = event.get("subprotocol")
            self._opened.set_result(None)
        elif event["type"] == "websocket.send":
            self._from_server.put_nowait(event["text"])
        elif event["type"] == "websocket.close" and not self._closed.is_set():
            self._end(event.get("code", 1000))
        elif event["type"] == f"{DENIAL}.start":
            self._opened.set_exception(Denied(event["status"], dict(event["headers"])))

    def _end(self, code: int) -> None:
        self.close_code = code
        self._closed.set()
        self._from_server.put_nowait(None)
        if not self._is_half_open:
            self._to_server.put_nowait({"type": "websocket.disconnect", "code": code})


class InProcessStation(BareStation):
    """A BareStation whose socket is memory. `client` is the address that it comes from."""

    def __init__(
        self,
        gateway: Gateway,
        path: str,
        *,
        client: str = "203.0.113.7",
        is_half_open: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(path, **options)
        self.is_half_open = is_half_open
        self.gateway = gateway
        self.client = client

    async def connect(self) -> None:
        """Open the socket; raises Denied when the handshake is refused."""
        headers = [(k.lower().encode(), v.encode("latin1")) for k, v in self.headers.items()]
        socket = MemorySocket(
            self.gateway,
            {
                "type": "websocket",
                "raw_path": self.url.encode(),
                "subprotocols": list(self.subprotocols),
                "headers": headers,
                "client": (self.client, 50000),
                "extensions": {DENIAL: {}},
            },
            is_half_open=self.is_half_open,
        )
        await socket.open()
        self._socket = socket  # type: ignore[assignment]
        self._reader = asyncio.create_task(self._read())
