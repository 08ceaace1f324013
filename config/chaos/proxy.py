"""The network between stations and servers: a TCP proxy that cuts, freezes, delays and loses."""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from .journal import Exchange, Journal
from .wire import Decoder, is_accepted, path_of, without_extensions

CHUNK = 65_536
HEAD_WITHIN_S = 20.0
DIAL_WITHIN_S = 3.0


@dataclass(eq=False, slots=True)
class Link:
    """One connection of a station through the proxy, to one server."""

    number: int
    station_id: str
    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    up: Decoder = field(default_factory=Decoder)
    down: Decoder = field(default_factory=Decoder)
    thawed: asyncio.Event = field(default_factory=asyncio.Event)
    delay_s: float = 0.0
    outlives: asyncio.Event | None = None
    is_half_closed: bool = False

    def abort(self) -> None:
        """Drop both sides without a word, as a cut cable does."""
        self.thawed.set()
        self.near.transport.abort()
        self.far.transport.abort()


class Proxy:
    """Listens for stations. Each has a server of its own, and another where that is away."""

    def __init__(self, servers: list[int], journal: Journal) -> None:
        self.servers, self.journal = servers, journal
        self.assigned: dict[str, int] = {}
        self.losses: dict[str, tuple[str, bool]] = {}
        self.barred: set[str] = set()
        self._links: set[Link] = set()
        self._numbers = itertools.count(1)
        self._listener: asyncio.Server | None = None

    async def open(self) -> int:
        """Listen on a free port, and return it."""
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for link in list(self._links):
            link.abort()

    # --- Faults -----------------------------------------------------------------------------

    def links(self, station_id: str = "") -> Iterator[Link]:
        """The open connections of one station, or of all."""
        return (link for link in list(self._links) if station_id in ("", link.station_id))

    def cut(self, station_id: str = "") -> None:
        for link in self.links(station_id):
            link.abort()

    async def freeze(self, lasts_s: float, station_id: str = "") -> None:
        """Let nothing through for a while; what waits goes on afterwards."""
        frozen = list(self.links(station_id))
        for link in frozen:
            link.thawed.clear()
        await asyncio.sleep(lasts_s)
        for link in frozen:
            link.thawed.set()

    async def delay(self, lasts_s: float, station_id: str) -> None:
        """Let everything come late for a while."""
        delayed = list(self.links(station_id))
        for link in delayed:
            link.delay_s = lasts_s / 10
        await asyncio.sleep(lasts_s)
        for link in delayed:
            link.delay_s = 0.0

    def half_close(self, station_id: str) -> None:
        """Tell the server that the station says no more; its answers still come."""
        for link in self.links(station_id):
            link.is_half_closed = True
            with contextlib.suppress(OSError):
                link.far.write_eof()

    async def half_open(self, lasts_s: float, station_id: str) -> None:
        """Cut the station's side only: the server's stays, and hears the rest of it late."""
        left = list(self.links(station_id))
        for link in left:
            link.outlives = asyncio.Event()
            link.thawed.clear()
        await asyncio.sleep(min(lasts_s / 3, 0.5))  # what comes meanwhile is heard late
        for link in left:
            link.near.transport.abort()
        await asyncio.sleep(lasts_s)
        for link in left:
            link.thawed.set()
        await asyncio.sleep(0.2)
        for link in left:
            if link.outlives is not None:
                link.outlives.set()
            link.abort()

    async def bar(self, lasts_s: float, station_id: str) -> None:
        """Let a station be without a network for a while."""
        self.barred.add(station_id)
        self.cut(station_id)
        await asyncio.sleep(lasts_s)
        self.barred.discard(station_id)

    def lose_reply(self, station_id: str, action: str, *, is_torn: bool) -> None:
        """Break the connection under the next reply to an action; torn: after half of it."""
        self.losses[station_id] = (action, is_torn)

    def move(self, station_id: str) -> None:
        """Lead a station to the next server from now on, and make it come again."""
        self.assigned[station_id] = self.assigned.get(station_id, 0) + 1
        self.cut(station_id)

    def calm(self) -> None:
        """End every fault of the network."""
        self.losses.clear()
        self.barred.clear()
        for link in self.links():
            link.delay_s = 0.0
            link.thawed.set()

    # --- Forwarding -------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_WITHIN_S):
                head = await reader.readuntil(b"\r\n\r\n")
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            near.transport.abort()
            return
        station_id = unquote(path_of(head).rstrip("/").rpartition("/")[2])
        far = None if station_id in self.barred else await self._dial(station_id)
        if far is None:
            near.transport.abort()
            return
        far_reader, far_writer = far
        link = Link(next(self._numbers), station_id, near, far_writer)
        link.thawed.set()
        self.journal.dialled[station_id] += 1
        await self._carry(link, reader, far_reader, head)

    async def _dial(
        self, station_id: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Connect to the station's server, or to the next that listens."""
        first = self.assigned.get(station_id, 0)
        for turn in range(len(self.servers)):
            port = self.servers[(first + turn) % len(self.servers)]
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(DIAL_WITHIN_S):
                    return await asyncio.open_connection("127.0.0.1", port)
        return None

    async def _carry(
        self, link: Link, near: asyncio.StreamReader, far: asyncio.StreamReader, head: bytes
    ) -> None:
        self._links.add(link)
        self.journal.note(f"#{link.number} dials", link.station_id)
        try:
            list(link.up.feed(head))
            link.far.write(without_extensions(head))
            await asyncio.gather(self._carry_up(link, near), self._carry_down(link, far))
        finally:
            self._links.discard(link)
            link.abort()
            self.journal.note(f"#{link.number} is gone", link.station_id)

    async def _carry_up(self, link: Link, near: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while chunk := await near.read(CHUNK):
                for text in link.up.feed(chunk):
                    self.journal.sent(link.station_id, link.number, text)
                await self._wait(link)
                if not link.is_half_closed:
                    link.far.write(chunk)
                    await link.far.drain()
        if link.outlives is not None:
            await link.outlives.wait()
        link.abort()

    async def _carry_down(self, link: Link, far: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while chunk := await far.read(CHUNK):
                had_head = bool(link.down.head)
                exchanges = [
                    self.journal.answered(link.station_id, link.number, text)
                    for text in link.down.feed(chunk)
                ]
                if not had_head and is_accepted(link.down.head):
                    self.journal.admitted[link.station_id] += 1
                if self._is_lost(link, chunk, exchanges):
                    break
                await self._wait(link)
                if link.outlives is None:
                    link.near.write(chunk)
                    await link.near.drain()
        link.abort()

    async def _wait(self, link: Link) -> None:
        if link.delay_s:
            await asyncio.sleep(link.delay_s)
        await link.thawed.wait()

    def _is_lost(self, link: Link, chunk: bytes, ended: list[Exchange | None]) -> bool:
        """Whether one of these replies is to be lost; a torn one is half sent."""
        action, is_torn = self.losses.get(link.station_id, ("", False))
        lost = [exchange for exchange in ended if exchange and exchange.action == action]
        if not lost:
            return False
        del self.losses[link.station_id]
        for exchange in lost:
            exchange.is_lost = True
        self.journal.note(f"#{link.number} the reply to {action} is lost", link.station_id)
        if is_torn:
            link.near.write(chunk[: len(chunk) // 2])
        return True
