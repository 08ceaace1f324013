"""The server process: Daphne run by ourselves, so that we decide how it listens and how it ends.

What it adds to Daphne: real HTTP statuses for refused handshakes, frames bounded at 2 MiB, a long
listen backlog, a non-zero exit when it cannot listen, a drain on SIGTERM and SIGINT, and large
HTTP bodies that stay out of memory (`bodies`).
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from daphne.http_protocol import HTTPFactory
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from django.core.management.base import CommandError
from twisted.internet import reactor

from . import bodies, embedded

logger = logging.getLogger(__name__)

MAX_FRAME_BYTES = 2 * 1024 * 1024
BACKLOG = 4096
HANDSHAKE_S = 20
"""Daphne's 5 s is too short when every station of a network returns at once."""
EXIT_S = 3.0
DENIAL = "websocket.http.response"

Drain = Callable[[], Awaitable[None]]


class StationProtocol(WebSocketProtocol):
    """Daphne's WebSocket protocol with the ASGI extension that denies a handshake by a status.

    Daphne itself only knows 403. https://asgi.readthedocs.io/en/latest/extensions.html
    """

    def onConnect(self, request: Any) -> Any:
        # autobahn cuts the path at a semicolon, which an identity may contain
        request.path = urlsplit(self.http_request_uri).path
        return super().onConnect(request)

    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == f"{DENIAL}.start":
            self._deny(message["status"], message.get("headers", []))
        elif message["type"] != f"{DENIAL}.body" and not self._is_too_late(message):
            super().handle_reply(message)

    def _is_too_late(self, message: dict[str, Any]) -> bool:
        """Whether this is text for a socket that is closing, where autobahn would raise."""
        is_open = self.state in (self.STATE_CONNECTING, self.STATE_OPEN)
        return message["type"] == "websocket.send" and not is_open

    def _deny(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        lines = [(name.decode("latin1"), value.decode("latin1")) for name, value in headers]
        self.failHandshake(
            HTTPStatus(status).phrase,
            status,
            [*lines, ("Content-Length", "0"), ("Connection", "close")],
        )
        del self.handshake_deferred
        self.server.protocol_disconnected(self)


class PacedFactory(HTTPFactory):
    """Daphne's factory, with our own kind of request."""

    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = bodies.PacedRequest
        return protocol


class KubatServer(Server):
    """Daphne's server, drained before it stops."""

    def __init__(self, application: Any, *, host: str, port: int, drain: Drain) -> None:
        super().__init__(
            bodies.from_disk(application),
            endpoints=[f"tcp:port={port}:interface={_quoted(host)}:backlog={BACKLOG}"],
            signal_handlers=False,
            websocket_timeout=-1,
            websocket_handshake_timeout=HANDSHAKE_S,
            websocket_max_message_size=MAX_FRAME_BYTES,
            websocket_max_frame_size=MAX_FRAME_BYTES,
            server_name="kubat",
            ready_callable=self._prepare_sockets,
        )
        self.drain = drain
        self.has_failed = False
        self._ending: asyncio.Task[None] | None = None

    def run(self) -> None:
        """Serve until a signal ends it."""
        loop = reactor._asyncioEventloop
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                loop.add_signal_handler(number, self.end)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(self.end))
        super().run()

    def _prepare_sockets(self) -> None:
        """Called between the making of Daphne's factories and the first connection."""
        # it listens already, so it is changed and not replaced
        self.http_factory.__class__ = PacedFactory
        self.ws_factory.protocol = StationProtocol
        # a frame that is too big or no UTF-8 ends in a close frame that says so
        self.ws_factory.setProtocolOptions(failByDrop=False, allowNullOrigin=True)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if scope["type"] == "websocket":
            scope["extensions"] = {DENIAL: {}}
        elif protocol.body is not None:
            scope[bodies.BODY] = protocol.body
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Send, and wait for the reader of a long answer."""
        await super().handle_reply(protocol, message)
        if message["type"] == "http.response.body" and message.get("more_body"):
            await protocol.wait_for_reader()

    def end(self) -> None:
        """Begin the drain; a second signal changes nothing."""
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end(), loop=reactor._asyncioEventloop)

    async def _end(self) -> None:
        logger.info("Ending: closing sockets.")
        try:
            await self._stop_listening()
            await self.drain()
        finally:
            self.stop()

    async def _stop_listening(self) -> None:
        for listener in self.listeners:
            listener.addCallback(lambda port: port and port.stopListening())
            await listener.asFuture(asyncio.get_running_loop())

    def listen_success(self, port: Any) -> Any:
        super().listen_success(port)
        for host, number in self.listening_addresses:
            logger.info("Serving on http://%s:%s, stations at /ws/{station_id}.", host, number)
        return port  # Daphne drops it; we stop listening through it

    def listen_error(self, failure: Any) -> None:
        self.has_failed = True
        super().listen_error(failure)

    def kill_all_applications(self) -> None:
        """Leave out Daphne's own ending: it expects an application in every connection."""
        for details in self.connections.values():
            if "application_instance" in details:
                details["application_instance"].cancel()


def _quoted(host: str) -> str:
    """A host in Twisted's endpoint language, where the colons of IPv6 separate."""
    return host.replace("\\", "\\\\").replace(":", "\\:").replace("=", "\\=")


def serve(*, host: str, port: int) -> None:
    """Serve until a signal comes. With SQLite: alone on its file, migrated, with the worker."""
    with embedded.sole_user_of_database(), embedded.embedded_worker():
        from .asgi import application, drain

        server = KubatServer(application, host=host, port=port, drain=drain)
        server.run()
    if server.has_failed:
        raise CommandError(f"Cannot listen on {host}:{port}.")
    _exit_soon()


def _exit_soon() -> None:
    """Leave behind threads that wait for what does not come: a database that stands still."""
    last_word = threading.Timer(EXIT_S, os._exit, (0,))
    last_word.daemon = True
    last_word.start()
