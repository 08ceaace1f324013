"""This process as a holder of sockets: its lease, its connections, and its chores.

One channel of the layer a process, with a dictionary of its stations: a channel a socket would
fill the layer's capacity and cost a Redis subscription each.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from channels.layers import get_channel_layer
from django.db import IntegrityError, InterfaceError, OperationalError
from django.utils import timezone
from redis.exceptions import RedisError

from sessions_app.services import calls, tracking

from .. import commands, doorbell, measured, measures, presence, refusals, takeovers
from ..frames import FrameLog
from . import arrivals, bridge, handshake
from .agenda import Agenda
from .arrivals import Verdict
from .bridge import DatabaseAway, as_chore, in_database, patiently
from .connection import Close, Connection
from .writer import Writer

logger = logging.getLogger(__name__)

LEASE_EVERY_S = presence.RENEW_EVERY.total_seconds()
LOOK_EVERY_S = 2.0
WRITE_EVERY_S = 0.5
TOUCH_EVERY_S = 5.0
TELL_EVERY_S = 1.0
EXPIRE_EVERY_S = 0.5
LATENESS_EVERY_S = 0.5
ADMIT_S = 15.0
"""How long a handshake waits. A late answer is a socket; a refusal comes back as another attempt,
which costs as much as the first (docs/adr/0050). Less than what the server gives a handshake."""
ALONE_AT_ONCE = 4
"""Handshakes that are admitted one by one share the threads with the calls of stations."""
LANES_AT_ONCE = 4
"""Lanes that look for calls, or store what a set-up was answered: when thousands of new stations
are set up at once, threads are left for what stations send."""
DRAIN_S = 3.0
LEAVE_S = 5.0
PART_S = 3.0
CUT_OFF_S = 1.0

Chore = Callable[[], Awaitable[None]]
AWAY = (OperationalError, InterfaceError, IntegrityError, DatabaseAway, TimeoutError)
"""Why no handshake can be admitted now; without integrity our own lease is gone, until renewed."""


class Gateway:
    """All sockets of this process. `start` is lazy: the first handshake takes the lease."""

    def __init__(self) -> None:
        self.id = uuid.uuid4()
        self.channel = f"gateway.{self.id.hex}"
        self.frames = FrameLog()
        self.writer = Writer("station-writer")
        self.arrivals = Writer("arrivals-writer")
        self.agenda = Agenda()
        self.turns = asyncio.Semaphore(LANES_AT_ONCE)
        self._alone = asyncio.Semaphore(ALONE_AT_ONCE)
        self._live: dict[int, Connection] = {}
        self._all: set[Connection] = set()
        self._heard: set[int] = set()
        self._refusals: dict[tuple[int, refusals.Cause], refusals.Refusals] = {}
        self._takeovers: list[takeovers.Takeover] = []
        self._closing: set[asyncio.Future[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._starting: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._is_empty = asyncio.Event()
        for why in Close:
            measures.CLOSED.begin(why.name.lower())

    async def admit(self, scope: Mapping[str, Any]) -> handshake.Admission:
        """Judge a handshake. Raises handshake.Refused."""
        asked = handshake.read(scope)
        if self._is_stopping:
            raise handshake.Refused(HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            async with asyncio.timeout(ADMIT_S):
                await self._start()
                return await self._admit(asked)
        except handshake.Refused as refused:
            self._note(refused)
            raise
        except AWAY as error:
            logger.warning("no handshake while the database is away: %s", error)
            raise handshake.Refused(HTTPStatus.SERVICE_UNAVAILABLE) from error

    async def _admit(self, asked: handshake.Handshake) -> handshake.Admission:
        verdict: Verdict = await self.arrivals.put(self._admit_all, asked)  # raises a Refused
        if verdict.admission is None:
            async with self._alone:
                return await in_database(handshake.admit, asked, self.id)
        if verdict.has_left_calls:
            station_pk, fence = verdict.admission.station_pk, verdict.admission.fence
            await in_database(calls.cut_off, station_pk=station_pk, fence=fence)
        return verdict.admission

    def _admit_all(self, asked: Sequence[handshake.Handshake]) -> Sequence[Any]:
        return arrivals.admit_all(asked, self.id)

    def _note(self, refused: handshake.Refused) -> None:
        """Count a handshake that a station of ours should have done better."""
        if refused.cause is not None:
            key = (refused.station_pk, refused.cause)
            count = self._refusals[key].count if key in self._refusals else 0
            self._refusals[key] = refusals.Refusals(*key, count + 1, timezone.now())

    async def _replaced(self, connection: Connection) -> None:
        """Close a socket that a newer one replaced; if it was young, that is kept."""
        is_young = takeovers.is_young(time.monotonic() - connection.opened_at)
        if is_young and not connection.is_closing:
            told = takeovers.Takeover(connection.station_pk, connection.peer, timezone.now())
            self._takeovers.append(told)
        await connection.close(Close.REPLACED)

    def heard(self, station_pk: int) -> None:
        """Remember that a station is alive; the row is touched once for many."""
        self._heard.add(station_pk)

    async def enter(self, connection: Connection) -> None:
        """Take in a connection; the one with the highest fence is the live one (P7)."""
        self._all.add(connection)
        if self._is_stopping:
            await connection.close(Close.SHUTDOWN)
        other = self._live.get(connection.station_pk)
        if other is not None and other.fence > connection.fence:
            await self._replaced(connection)
            return
        self._live[connection.station_pk] = connection
        if other is not None:
            await self._replaced(other)

    async def leave(self, connection: Connection) -> None:
        """Let a closed connection go, with what was still asked over it."""
        if self._live.get(connection.station_pk) is connection:
            del self._live[connection.station_pk]
        try:
            if not self._is_stopping:  # `_part` notes the leaving of all at once
                await self._note_leaving(connection.station_pk, connection.fence)
        except DatabaseAway as error:
            logger.warning("%s: left without a note: %s", connection.station_id, error)
        finally:
            self._all.discard(connection)
            self._note_emptiness()

    async def _note_leaving(self, station_pk: int, fence: int) -> None:
        if not await self.arrivals.put(arrivals.leave_all, (station_pk, fence)):
            await patiently(_leave, station_pk, fence)

    async def stop(self) -> None:
        """Close all sockets properly, give up the lease, and write the diary."""
        self._is_stopping = True
        await asyncio.gather(*(connection.drain(DRAIN_S) for connection in set(self._all)))
        await self._all_left()
        doorbell.leave(self.channel)
        self.writer.end()
        self.arrivals.end()
        self.agenda.end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tasks:
            await self._part()

    async def _all_left(self) -> None:
        self._note_emptiness()
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._is_empty.wait()
        except TimeoutError:
            logger.warning("ended with %d sockets open", len(self._all))

    def _note_emptiness(self) -> None:
        if self._is_stopping and not self._all:
            self._is_empty.set()

    async def _part(self) -> None:
        try:
            async with asyncio.timeout(PART_S):
                left = await as_chore(commands.open_at, self.id)
                await as_chore(presence.give_up, self.id)
                await as_chore(calls.cut_off_these, left, within_s=CUT_OFF_S)
                await as_chore(self.frames.write)
                await self._tell()
                await as_chore(measured.sign_off)
        except (OperationalError, InterfaceError, TimeoutError) as error:
            logger.warning("ended while the database is away: %s", error)

    async def _start(self) -> None:
        """Begin once. It goes on when the handshake that began it has waited too long."""
        if self._tasks:
            return
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._begin())
        await asyncio.shield(self._starting)

    async def _begin(self) -> None:
        await as_chore(presence.renew, self.id, self.channel)
        self._answer_at_home()
        self._tasks = [
            asyncio.create_task(_every(every_s, name, chore))
            for every_s, name, chore in (
                (LEASE_EVERY_S, "lease", self._renew),
                (LEASE_EVERY_S, "presence", self._compare),
                (LEASE_EVERY_S, "followed sessions", self._check_followed),
                (LOOK_EVERY_S, "commands", self._look),
                (WRITE_EVERY_S, "diary", self._write),
                (TOUCH_EVERY_S, "last seen", self._touch),
                (TELL_EVERY_S, "refusals", self._tell),
                (EXPIRE_EVERY_S, "writer", self._expire),
                (LEASE_EVERY_S, "measures", self._keep_measures),
                (0, "lateness", self._measure_lateness),
                (0, "doorbell", self._listen),
            )
        ]

    def _answer_at_home(self) -> None:
        """Take bells that this process rings itself; its other threads ring too."""
        loop = asyncio.get_running_loop()

        def take(bell: dict[str, Any]) -> None:
            loop.call_soon_threadsafe(self._answer, bell)

        doorbell.answer_at(self.channel, take)

    async def _renew(self) -> None:
        await as_chore(presence.renew, self.id, self.channel)

    async def _compare(self) -> None:
        """Make good for lost messages: close what moved away, clear what is not here."""
        held = {pk: connection.fence for pk, connection in self._live.items()}
        for station_pk in await as_chore(presence.moved, self.id, held):
            connection = self._live.get(station_pk)
            if connection is not None and connection.fence == held[station_pk]:
                await self._replaced(connection)
        await as_chore(presence.clear_strays, self.id, set(self._live))

    async def _check_followed(self) -> None:
        """Forget what is followed by facts of a station that have changed."""
        following = {pk: one.followed for pk, one in self._live.items() if one.followed}
        if following:
            facts = await as_chore(tracking.facts_now, set(following))
            for station_pk, followed in following.items():
                followed.forget_unless(facts.get(station_pk))

    async def _look(self) -> None:
        """Ring for commands whose bell was lost."""
        for station_pk in await as_chore(commands.waiting_at, self.id):
            self._ring(station_pk)

    async def _write(self) -> None:
        await as_chore(self.frames.write)

    async def _touch(self) -> None:
        heard, self._heard = self._heard, set()
        if heard:
            await self.arrivals.put(_touch_all, heard)

    async def _tell(self) -> None:
        """Tell of refused handshakes and of replaced sockets, many together."""
        refused, self._refusals = self._refusals, {}
        if refused:
            await as_chore(refusals.tell, list(refused.values()))
        replaced, self._takeovers = self._takeovers, []
        if replaced:
            await as_chore(takeovers.note, replaced)

    async def _expire(self) -> None:
        self.writer.expire()
        self.arrivals.expire()

    async def _keep_measures(self) -> None:
        measures.SOCKETS.set(len(self._all))
        measures.DIARY.set(self.frames.waiting)
        measures.THREADS_WAITING.set(bridge.waiting())
        for writer in (self.writer, self.arrivals):
            measures.WRITER_WAITING.set(writer.waiting, writer.name)
        await as_chore(measured.keep)

    async def _measure_lateness(self) -> None:
        loop = asyncio.get_running_loop()
        due_at = loop.time() + LATENESS_EVERY_S
        await asyncio.sleep(LATENESS_EVERY_S)
        measures.LOOP_LATE.observe(max(loop.time() - due_at, 0.0))

    async def _listen(self) -> None:
        """Take one bell that another process rang."""
        self._answer(await get_channel_layer().receive(self.channel))

    def _answer(self, bell: dict[str, Any]) -> None:
        if bell["type"] == "station.ring":
            self._ring(bell["station"])
        elif bell["type"] == "stations.moved":
            for station_pk, fence in bell["stations"]:
                self._replace(station_pk, fence)

    def _replace(self, station_pk: int, fence: int) -> None:
        """Close the socket of a station that has a newer one."""
        connection = self._live.get(station_pk)
        if connection is not None and connection.fence < fence:
            closing = asyncio.ensure_future(self._replaced(connection))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _ring(self, station_pk: int) -> None:
        connection = self._live.get(station_pk)
        if connection is not None:
            connection.lane.ring()


def _leave(station_pk: int, fence: int) -> None:
    presence.disconnect(station_pk=station_pk, fence=fence)
    calls.cut_off(station_pk=station_pk, fence=fence + 1)


def _touch_all(heard: Sequence[set[int]]) -> list[None]:
    """By the writer of arrivals: from another thread it would lock rows that a Boot needs."""
    presence.touch(set[int]().union(*heard))
    return [None for _ in heard]


async def _every(every_s: float, name: str, chore: Chore) -> None:
    """Do a chore for ever; a failure is logged and the next turn comes."""
    while True:
        try:
            await chore()
        except (OperationalError, InterfaceError, DatabaseAway, RedisError, OSError) as error:
            logger.warning("%s: %s", name, error)
            await asyncio.sleep(1)
        except Exception:
            logger.exception("%s failed", name)
            await asyncio.sleep(1)
        await asyncio.sleep(every_s)
