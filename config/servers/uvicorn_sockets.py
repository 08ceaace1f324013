"""Stations' sockets with uvicorn: its implementation on the Sans-I/O part of websockets, made ours.

What is changed is what a station would notice. A close waits for the peer's answer, and what comes
until then still counts; a frame out of bounds ends in a close frame that arrives; a peer that does
not read holds up nobody but itself; silence is found by one look at all sockets.
"""

import asyncio
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.protocol import OPEN

from . import frames, limits
from .inbox import Event, Inbox

LOOK_EVERY_S = 2.0


READ_BYTES = 64 * 1024

_buffer = memoryview(bytearray(READ_BYTES))
"""What all sockets are read into, one after the other; asyncio would make 256 KiB for each read."""


class StationProtocol(WebSocketsSansIOProtocol, asyncio.BufferedProtocol):
    """One socket."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._silent_s = 0.0
        self._is_failed = False
        self._boundary = frames.Boundary()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.queue = Inbox(self.transport.pause_reading, self.transport.resume_reading)  # type: ignore[assignment]

    def get_buffer(self, sizehint: int) -> memoryview:
        return _buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(_buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Take one whole text straight; the library makes a frame of it in twice the time."""
        self._silent_s = 0.0
        is_between = self.conn.state is OPEN and self._boundary.is_reached()
        text = frames.text_of(data) if is_between and self.conn.current_size is None else None
        if text is None:
            self._let_judge(data)
        else:
            self.queue.put_nowait({"type": "websocket.receive", "text": text})

    def _let_judge(self, data: bytes) -> None:
        """Take what is whole also where something broken follows."""
        if self.handshake_initiated:
            self._boundary.follow(data)
        self.conn.receive_data(data)
        self.handle_events()
        if self.conn.parser_exc is not None:
            self._fail()
        if self._is_failed and self._boundary.has_close:
            self.transport.close()
        if self.conn.handshake_exc is not None:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self._is_failed:
            return
        if self.curr_msg_data_type == "bytes":
            self.queue.put_nowait({"type": "websocket.receive", "bytes": bytes(data)})
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.conn.fail(CloseCode.INVALID_DATA)
            self._fail()
        else:
            self.queue.put_nowait({"type": "websocket.receive", "text": text})

    def handle_close(self, event: Frame) -> None:
        """Answer a close, or see ours answered; what we still have to send goes first."""
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._give_up_in(limits.CLOSE_S)
        self.transport.close()

    def receive(self) -> Any:
        return self.queue.get()

    async def send(self, message: Any) -> None:
        if not self.handshake_complete:
            await self._answer_handshake(message)
        elif message["type"] == "websocket.send":
            if not self.writable.is_set():
                await self.writable.wait()
            self._send_text(message["text"])
        elif message["type"] == "websocket.close":
            self._close(message.get("code", CloseCode.NORMAL_CLOSURE))

    async def _answer_handshake(self, message: Event) -> None:
        if self.transport.is_closing():
            raise ClientDisconnected
        await super().send(message)  # type: ignore[arg-type]
        if message["type"] == "websocket.accept":
            self._forget_handshake()

    def _forget_handshake(self) -> None:
        """Let go what the handshake was read from: it is as large as the rest of the socket."""
        self.request = self.response = None  # type: ignore[assignment]
        self.scope["headers"] = []

    def _send_text(self, text: str) -> None:
        if self.conn.state is OPEN:
            self.transport.write(frames.of_text(text))

    def _close(self, code: int) -> None:
        """Say it, whether or not the peer reads; the answer, or its absence, ends the socket."""
        if self.conn.state is OPEN:
            self.conn.send_close(code)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.writable.set()  # what waits there to be sent comes too late
            self._give_up_in(limits.CLOSE_S)

    def _fail(self) -> None:
        """Say why, and read on without listening: a close with bytes unread would be a reset.

        The library parses no more; the peer's own close is found by the lengths of its frames.
        """
        self._is_failed = True
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.writable.set()
        self._give_up_in(limits.CLOSE_S)

    def _give_up_in(self, within_s: float) -> None:
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(within_s, self.transport.abort)

    def look(self) -> None:
        """Ping a silent peer; drop one that has gone. Called every LOOK_EVERY_S."""
        if self.queue.is_full and self.writable.is_set():  # type: ignore[attr-defined]
            return  # it is we who do not listen
        before, self._silent_s = self._silent_s, self._silent_s + LOOK_EVERY_S
        if self.conn.state is not OPEN:
            if not self.handshake_complete and before > limits.HANDSHAKE_S:
                self.transport.abort()
        elif before > limits.PING_AFTER_S + limits.PONG_WITHIN_S:
            self.transport.abort()
        elif before < limits.PING_AFTER_S <= self._silent_s:
            self.conn.send_ping(b"")
            self.transport.write(b"".join(self.conn.data_to_send()))
