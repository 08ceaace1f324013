"""Daphne, run by ourselves, so that we decide how it listens and how it ends.

What is added to it: real HTTP statuses for refused handshakes, frames bounded at 2 MiB, a long
listen backlog, a non-zero exit when it cannot listen, a drain on SIGTERM and SIGINT, large HTTP
bodies that stay out of memory (`daphne_bodies`), and sockets that are neither read nor written
faster than the other side takes it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from daphne.http_protocol import HTTPFactory
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from django.core.management.base import CommandError
from twisted.internet import reactor

from . import daphne_bodies as bodies
from . import frames, limits, signals, traces
from .inbox import Inbox

logger = logging.getLogger(__name__)

DENIAL = "websocket.http.response"

Drain = Callable[[], Awaitable[None]]


class StationProtocol(WebSocketProtocol):
    """Daphne's WebSocket protocol with back-pressure and denials.

    The ASGI extension denies a handshake by a status, where Daphne itself only knows 403.
    https://asgi.readthedocs.io/en/latest/extensions.html
    """

    _may_send: asyncio.Event | None = None
    """Set while the network takes nothing: what waits for it."""

    def connectionMade(self) -> None:
        super().connectionMade()
        # The HTTP channel goes with it, and with the channel the request that became this socket.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)

    def connectionLost(self, reason: Any) -> None:
        self.resumeProducing()
        super().connectionLost(reason)

    def pauseProducing(self) -> None:
        self._may_send = self._may_send or asyncio.Event()

    def resumeProducing(self) -> None:
        if self._may_send is not None:
            self._may_send.set()
            self._may_send = None

    stopProducing = resumeProducing

    def dataReceived(self, data: bytes) -> None:
        """Take one whole text straight; autobahn takes four times as long over it."""
        is_between = self.state == self.STATE_OPEN and not (
            self.data or self.current_frame or self.inside_message
        )
        text = frames.text_of(data) if is_between else None
        if text is None:
            self._dataReceived(data)
            return
        self._note_life()
        self.application_queue.put_nowait({"type": "websocket.receive", "text": text})

    def check_timeouts(self) -> None:
        """Leave out a peer that is silent because we do not listen."""
        if self.state == self.STATE_OPEN and self.application_queue.is_full and not self._may_send:
            self._note_life()
        super().check_timeouts()

    def _note_life(self) -> None:
        self.last_ping = time.time()
        if self.autoPingTimeoutCall is not None:
            self._cancelAutoPingTimeoutCall()

    async def send_text(self, text: str) -> None:
        """Send, unless the socket is closing, and wait for its reader."""
        if self.state != self.STATE_OPEN:
            return
        self._write(frames.of_text(text))
        if self._may_send is not None:
            await self._may_send.wait()

    def _write(self, data: bytes) -> None:
        """Send at once what the network takes.

        Twisted's way is a turn of the loop later, with two system calls to be told when.
        """
        is_free = self.transport.connected and not self.transport.disconnecting
        if is_free and not (self.transport.dataBuffer or self.transport._tempDataLen):
            sent = self.transport.writeSomeData(data)
            data = data[sent:] if isinstance(sent, int) else data
        if data:
            self.transport.write(data)

    def onConnect(self, request: Any) -> Any:
        # autobahn cuts the path at a semicolon, which an identity may contain
        request.path = urlsplit(self.http_request_uri).path
        return super().onConnect(request)

    def serverAccept(self, subprotocol: str | None = None) -> None:
        super().serverAccept(subprotocol)
        self._forget_handshake()

    def _forget_handshake(self) -> None:
        """Let go what the handshake was read from, which is here four times."""
        self.http_request_data = self.http_response_data = self.http_headers = None
        self.clean_headers.clear()  # the scope's own list; the gateway has read it
        self.request.headers = {}
        self.application_deferred = None

    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == f"{DENIAL}.start":
            self._deny(message["status"], message.get("headers", []))
        elif message["type"] != f"{DENIAL}.body":
            super().handle_reply(message)
        if message["type"] == "websocket.close":
            self.resumeProducing()  # nobody waits for a reader that we have given up

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
            endpoints=[f"tcp:port={port}:interface={_quoted(host)}:backlog={limits.BACKLOG}"],
            signal_handlers=False,
            websocket_timeout=-1,
            websocket_connect_timeout=limits.HANDSHAKE_S,
            websocket_handshake_timeout=limits.HANDSHAKE_S,
            websocket_max_message_size=limits.MAX_FRAME_BYTES,
            websocket_max_frame_size=limits.MAX_FRAME_BYTES,
            ping_interval=limits.PING_AFTER_S,
            ping_timeout=limits.PONG_WITHIN_S,
            server_name="kubat",
            ready_callable=self._prepare_sockets,
        )
        self.drain = drain
        self.has_failed = False
        self._ending: asyncio.Task[None] | None = None

    def run(self) -> None:
        """Serve until a signal ends it."""
        signals.on_end(reactor._asyncioEventloop, self.end)
        super().run()

    def _prepare_sockets(self) -> None:
        """Called between the making of Daphne's factories and the first connection."""
        # it listens already, so it is changed and not replaced
        self.http_factory.__class__ = PacedFactory
        self.http_factory.timeOut = limits.SILENCE_S
        self.ws_factory.protocol = StationProtocol
        # a frame that is too big or no UTF-8 ends in a close frame that says so
        self.ws_factory.setProtocolOptions(
            failByDrop=False, allowNullOrigin=True, closeHandshakeTimeout=limits.CLOSE_S
        )
        # autobahn copies to each socket those of its options that the class has not
        for name in StationProtocol.CONFIG_ATTRS:
            value = getattr(self.ws_factory, name)
            is_call = callable(value)  # which a class would take for a method
            setattr(StationProtocol, name, staticmethod(value) if is_call else value)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if scope["type"] == "websocket":
            scope["extensions"] = {DENIAL: {}}
            return self._open_socket(protocol, scope)
        if protocol.body is not None:
            scope[bodies.BODY] = protocol.body
        return super().create_application(protocol, scope)

    def _open_socket(self, protocol: Any, scope: dict[str, Any]) -> Inbox:
        """What Daphne does, with our own queue."""
        inbox = Inbox(protocol.transport.pauseProducing, protocol.transport.resumeProducing)
        scope["asgi"] = {"version": "3.0"}
        send = partial(self.handle_reply, protocol)
        self.connections[protocol]["application_instance"] = asyncio.ensure_future(
            self.application(scope, inbox.get, send)
        )
        return inbox

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Send, and wait for the reader of a long answer or of a socket."""
        if message["type"] == "websocket.send":
            await protocol.send_text(message["text"])
            return
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


def run(application: Any, *, host: str, port: int, drain: Drain) -> None:
    """Serve until a signal comes."""
    traces.silence()
    server = KubatServer(application, host=host, port=port, drain=drain)
    server.run()
    if server.has_failed:
        raise CommandError(f"Cannot listen on {host}:{port}.")
