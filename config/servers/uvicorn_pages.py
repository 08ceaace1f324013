"""HTTP with uvicorn, within the bounds that Daphne's library sets by itself.

Bodies need no more: uvicorn reads at most 64 KiB ahead of the application, and waits for the
reader of a long answer.
"""

import asyncio
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from . import limits

HEAD_BYTES = 64 * 1024


class PagesProtocol(HttpToolsProtocol):
    """One connection, until it asks to become a socket."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._left_bytes = 0
        self._is_refused = False
        self._heard_at = self.loop.time()
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_looking()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        if self._is_refused:
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_reading_head() and self._head_bytes > HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._left_bytes = limits.largest_body()

    def on_header(self, name: bytes, value: bytes) -> None:
        if b"_" not in name:  # for Django it would be the one with hyphens, which a proxy set
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_bytes = 0
        if self._stated_length() > self._left_bytes:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        self._left_bytes -= len(body)
        if self._left_bytes < 0:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        if not self._is_refused:
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection on, with nothing left of what it was."""
        self._stop_looking()
        try:
            asked = httptools.parse_url(self.url)
            asked.path.decode("ascii")
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
            self.send_400_response("Invalid address.")
            return
        self.url = asked.path + (b"?" + asked.query if asked.query else b"")
        super().handle_websocket_upgrade()
        # The parser and this object hold each other, which only the collector would notice.
        self.parser = None  # type: ignore[assignment]

    def _stated_length(self) -> int:
        lengths = [value for name, value in self.headers if name == b"content-length"]
        return int(lengths[0]) if lengths else 0  # the parser knows that it is a number

    def _refuse(self, status: HTTPStatus) -> None:
        if self._is_refused:
            return
        self._is_refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(limits.refusal(status))
        self.transport.close()

    def _look(self) -> None:
        """Close a connection that keeps us waiting for a request, or for the rest of one."""
        silent_s = self.loop.time() - self._heard_at
        if self._is_waiting() and silent_s >= limits.SILENCE_S:
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(limits.SILENCE_S / 4, self._look)

    def _stop_looking(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _is_waiting(self) -> bool:
        is_paused = self.flow.read_paused
        return not is_paused and (self._is_reading_head() or self.cycle.more_body)

    def _is_reading_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete
