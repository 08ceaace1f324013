"""One open socket: frames in, replies out, in order and within bounds (P5).

Three tasks: the reader takes frames and never waits for the database; the worker handles calls
one after the other, in the order in which they came; the lane sends our calls. Answers to our
calls go from the reader straight to the lane, also while a call is being handled. Of an idle
socket only the reader is there.
"""

import asyncio
import contextvars
import logging
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Any

from billing import context
from sessions_app.services.resume import resume
from sessions_app.services.steering import Plan

from ..frames import IN, OUT, FrameLog
from ..measures import CLOSED, FRAMES, OTHER, QUICK_S, REPLY
from ..models import IgnoredFrames, Station
from . import schemas, wire
from .agenda import Agenda
from .bridge import DatabaseAway, patiently
from .followed import Followed
from .handshake import Admission
from .lane import Lane
from .request import ChargePoint, Request
from .v16.charge_point import ChargePoint as ChargePoint16
from .writer import Writer

logger = logging.getLogger(__name__)

MAX_UNHANDLED = 200
TURN = 8
"""How many frames of one socket are read before the others have their turn."""
FINISH_S = 8.0
"""How long calls that came before a socket closed are still handled; Daphne allows 10 s."""
VERSIONS: dict[str, Callable[..., ChargePoint]] = {"ocpp1.6": ChargePoint16}

ACTIONS = frozenset[str]().union(*map(schemas.actions, VERSIONS))
"""What may be counted by its name: a station may send any text as an action."""
HEARD, SAID = (FRAMES.column(direction, known=ACTIONS) for direction in (IN, OUT))
REPLIES = REPLY.rows_of(ACTIONS)

Ignored = IgnoredFrames.Kind
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Close(IntEnum):
    """Why we close a socket; Daphne sends 1000 and 3000-4999 only."""

    SHUTDOWN = 1000
    REPLACED = 4001
    FLOODED = 4008
    FAILED = 4011
    DATABASE_AWAY = 4013


class Connection:
    """The socket of one station."""

    __slots__ = (
        "_calls",
        "_charge_point",
        "_frames",
        "_is_closing",
        "_is_deaf",
        "_lane_task",
        "_may_resume",
        "_on_heard",
        "_send",
        "_unhandled",
        "_worker",
        "agenda",
        "arrivals",
        "fence",
        "is_lenient",
        "lane",
        "opened_at",
        "peer",
        "station_id",
        "station_pk",
        "subprotocol",
        "turns",
        "writer",
    )

    def __init__(
        self,
        admission: Admission,
        *,
        frames: FrameLog,
        writer: Writer,
        arrivals: Writer,
        agenda: Agenda,
        turns: asyncio.Semaphore,
        on_heard: Callable[[int], None],
        send: Send,
        peer: str = "",
    ) -> None:
        self.peer = peer
        self.opened_at = time.monotonic()
        self.station_pk = admission.station_pk
        self.station_id = admission.station_id
        self.subprotocol = admission.subprotocol
        self.fence = admission.fence
        self.is_lenient = admission.is_lenient
        self.writer, self.arrivals, self.turns = writer, arrivals, turns
        self.agenda = agenda
        self._may_resume = admission.may_resume
        self._is_deaf = False
        self._is_closing = False
        self.lane = Lane(self, admission)
        self._charge_point = VERSIONS[self.subprotocol](self)
        self._frames = frames
        self._on_heard = on_heard
        self._send = send
        self._calls: list[Request] = []
        self._unhandled = 0
        self._worker: asyncio.Task[None] | None = None
        self._lane_task: asyncio.Task[None] | None = None

    async def run(self, receive: Receive) -> None:
        """Serve the socket until it is closed from either side."""
        context.begin({"station_id": self.station_id})
        self._lane_task = asyncio.create_task(self._guard(self._begin_lane()))
        try:
            await self._read(receive)
            self.lane.stop()
            if tasks := self._tasks():
                await asyncio.wait(tasks, timeout=FINISH_S)
        finally:
            for task in self._tasks():
                task.cancel()

    async def send(self, text: str, *, action: str = "") -> None:
        self._frames.add(self.station_pk, OUT, text, action=action)
        SAID[action if action in SAID else OTHER] += 1
        await self._send({"type": "websocket.send", "text": text})

    def note_breach(self) -> None:
        """Count a call that breaks its schema."""
        self._frames.ignore(self.station_pk, Ignored.BREACH)

    def wake_lane(self) -> None:
        """Let the lane look for commands again; nothing is sent over a socket that closes."""
        if self._lane_task is None and not self._is_closing:
            # an empty context: it has nothing to do with the request that rang the bell
            self._lane_task = asyncio.create_task(
                self._guard(self._run_lane()), context=contextvars.Context()
            )

    @property
    def followed(self) -> Followed:
        """The running sessions whose samples need not be asked of the database."""
        return self._charge_point.followed

    @property
    def is_closing(self) -> bool:
        return self._is_closing

    async def close(self, why: Close) -> None:
        """Close the socket; frames that come after this are left to the station's queue.

        Not those of a socket that was replaced: a StopTransaction that arrives there counts (P7).
        """
        self._is_deaf = self._is_deaf or why is not Close.REPLACED
        if not self._is_closing:
            self._is_closing = True
            CLOSED.add(why.name.lower())
            told = {"station_id": self.station_id}  # by whom it is closed, is another's work
            logger.info("%s: closing, %s", self.station_id, why.name.lower(), extra=told)
            code = int(why)  # autobahn takes no IntEnum
            await self._send({"type": "websocket.close", "code": code})

    async def drain(self, within_s: float) -> None:
        """Answer what has come, then close: the process ends."""
        self._is_deaf = True
        if self._worker is not None:
            _, pending = await asyncio.wait((self._worker,), timeout=within_s)
            if pending:
                logger.warning("%s: closed with calls unanswered", self.station_id)
                pending.pop().cancel()  # the station keeps them; others need the time
        await self.close(Close.SHUTDOWN)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [task for task in (self._worker, self._lane_task) if task is not None]

    async def _guard(self, loop: Awaitable[None]) -> None:
        """Run one of the tasks; a database that is away ends the socket, never with an error."""
        try:
            await loop
        except DatabaseAway:
            await self.close(Close.DATABASE_AWAY)
        except Exception:
            logger.exception("%s: a task of its socket failed", self.station_id)
            await self.close(Close.FAILED)

    async def _read(self, receive: Receive) -> None:
        taken = 0
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            if not self._is_deaf:
                await self._take(event)
                taken += 1
                if taken % TURN == 0:
                    await asyncio.sleep(0)  # a queue that is not empty never lets others run

    async def _take(self, event: dict[str, Any]) -> None:
        text: str | None = event.get("text")
        if text is None:
            self._frames.ignore(self.station_pk, Ignored.BINARY)
            size = len(event.get("bytes") or b"")
            self._frames.add(self.station_pk, IN, f"(binary: {size} bytes)")
            return
        self._on_heard(self.station_pk)
        message = wire.parse(text)
        action = self._action_of(message)
        frame = self._frames.add(self.station_pk, IN, text, action=action)
        HEARD[action if action in HEARD else OTHER] += 1
        if isinstance(message, wire.Call):
            await self._take_call(Request(message, frame))
        elif message is None:
            self._frames.ignore(self.station_pk, Ignored.NO_MESSAGE)
        elif not self.lane.take(message):
            self._frames.ignore(self.station_pk, Ignored.LATE_ANSWER)

    def _action_of(self, message: wire.Message | None) -> str:
        """Which action a frame is about; an answer does not say it."""
        if message is None:
            return ""
        return message.action if isinstance(message, wire.Call) else self.lane.asked(message)

    async def _take_call(self, request: Request) -> None:
        answer = self._charge_point.answer_at_once(request, is_next=not self._unhandled)
        if answer is not None:
            await self.send(answer, action=request.call.action)
            _measure_reply(request)
        elif self._unhandled >= MAX_UNHANDLED:
            await self.close(Close.FLOODED)
        else:
            self._unhandled += 1
            self._calls.append(request)
            if self._worker is None:
                self._worker = asyncio.create_task(self._guard(self._work()))

    async def _work(self) -> None:
        """Handle what waits; it ends when nothing does, or with its socket."""
        try:
            while self._calls:
                request = self._calls.pop(0)
                await self._charge_point.handle(request)
                _measure_reply(request)
                point = self._charge_point
                self.lane.open(point.registration, has_queued=point.has_queued)
                self._unhandled -= 1
        finally:
            self._worker = None

    async def _begin_lane(self) -> None:
        if self._may_resume:
            for plan in await patiently(_resume, self.station_pk):
                self.agenda.note(plan)
        await self._run_lane()

    async def _run_lane(self) -> None:
        context.begin({"station_id": self.station_id})
        try:
            await self.lane.run()
        finally:
            self._lane_task = None


def _measure_reply(request: Request) -> None:
    """Note how long an answer took, as `Histogram.observe` does, which takes twice as long."""
    took_s = time.time() - request.frame.at_us * 1e-6
    if took_s >= 0:  # else the clock was set back
        row = REPLIES.get(request.call.action) or REPLIES[OTHER]
        row[bisect_left(QUICK_S, took_s)] += 1
        row[-1] += took_s


def _resume(station_pk: int) -> list[Plan]:
    return resume(station=Station.objects.get(pk=station_pk))
