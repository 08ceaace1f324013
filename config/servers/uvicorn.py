"""uvicorn, run by ourselves as `daphne` is, and held to the same limits.

Its signals, its log and its view of proxies are left out: we drain first, and read X-Forwarded-*
only from those in CSMS_TRUSTED_PROXIES.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from django.core.management.base import CommandError

from . import limits, signals
from .uvicorn_pages import PagesProtocol
from .uvicorn_sockets import LOOK_EVERY_S, StationProtocol

logger = logging.getLogger(__name__)

GRACE_S = 2
"""How long requests that have begun may take after the sockets are closed."""

Drain = Callable[[], Awaitable[None]]


class KubatServer(uvicorn.Server):
    """uvicorn's server, drained before it stops."""

    def __init__(self, application: Any, *, drain: Drain) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=PagesProtocol,
                ws=StationProtocol,
                ws_max_size=limits.MAX_FRAME_BYTES,
                ws_ping_interval=None,  # `look` does that for all of them
                ws_per_message_deflate=False,
                interface="asgi3",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                headers=[("Server", "kubat")],
                backlog=limits.BACKLOG,
                timeout_keep_alive=limits.SILENCE_S,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self.drain = drain
        self._ending: asyncio.Task[None] | None = None

    async def serve_on(self, listener: socket.socket) -> None:
        """Serve until a signal ends it."""
        signals.on_end(asyncio.get_running_loop(), self.end)
        host, number = listener.getsockname()[:2]
        logger.info("Serving on http://%s:%s, stations at /ws/{station_id}.", host, number)
        looking = asyncio.create_task(self._look())
        await self.serve([listener])
        looking.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to us; uvicorn would raise them once more after its end."""
        yield

    def end(self) -> None:
        """Begin the drain; a second signal changes nothing."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())

    async def _end(self) -> None:
        logger.info("Ending: closing sockets.")
        try:
            for server in getattr(self, "servers", ()):  # a signal may come before there is one
                server.close()
            await self.drain()
        finally:
            self.should_exit = True

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for connection in list(self.server_state.connections):
                if isinstance(connection, StationProtocol):
                    connection.look()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; that of :: takes IPv4 too. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    is_dual = family is socket.AF_INET6 and socket.has_dualstack_ipv6()
    return socket.create_server(
        (host, port), family=family, backlog=limits.BACKLOG, dualstack_ipv6=is_dual
    )


def run(application: Any, *, host: str, port: int, drain: Drain) -> None:
    """Serve until a signal comes."""
    try:
        listener = listen(host, port)
    except OSError as error:
        raise CommandError(f"Cannot listen on {host}:{port}.") from error
    with listener:
        asyncio.run(KubatServer(application, drain=drain).serve_on(listener))
