"""One open socket: frames in, replies out, in order and within bounds (P5).

Three tasks: the reader takes frames and never waits for the database; the worker handles calls
one after the other, in the order in which they came; the lane sends our calls. Answers to our
calls go from the reader straight to the lane, also while a call is being handled.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Any

from sessions_app.services.resume import resume

from ..frames import IN, OUT, FrameLog
from ..models import IgnoredFrames, Station
from . import wire
from .bridge import DatabaseAway, patiently
from .handshake import Admission
from .lane import Lane
from .request import ChargePoint, Request
from .v16.charge_point import ChargePoint as ChargePoint16
from .writer import Writer

logger = logging.getLogger(__name__)

MAX_UNHANDLED = 200
FINISH_S = 8.0
"""How long calls that came before a socket closed are still handled; Daphne allows 10 s."""
VERSIONS: dict[str, Callable[..., ChargePoint]] = {"ocpp1.6": ChargePoint16}

Ignored = IgnoredFrames.Kind
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Close(IntEnum):
    """Why we close a socket; Daphne sends 1000 and 3000-4999 only."""

    SHUTDOWN = 1000
    REPLACED = 4001
    FLOODED = 4008
    FAILED = 4011
    DATABASE_AWAY = 4013


class Connection:
    """The socket of one station."""

    def __init__(
        self,
        admission: Admission,
        *,
        frames: FrameLog,
        writer: Writer,
        on_heard: Callable[[int], None],
        send_text: Callable[[str], Awaitable[None]],
        close_socket: Callable[[int], Awaitable[None]],
    ) -> None:
        self.station_pk = admission.station_pk
        self.station_id = admission.station_id
        self.subprotocol = admission.subprotocol
        self.fence = admission.fence
        self.is_lenient = admission.is_lenient
        self._is_deaf = False
        self._is_closing = False
        self.lane = Lane(self, was_accepted=admission.was_accepted)
        self._charge_point = VERSIONS[self.subprotocol](self)
        self._frames = frames
        self.writer = writer
        self._on_heard = on_heard
        self._send_text = send_text
        self._close_socket = close_socket
        self._calls: asyncio.Queue[Request | None] = asyncio.Queue()
        self._unhandled = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def run(self, receive: Receive) -> None:
        """Serve the socket until it is closed from either side."""
        worker = asyncio.create_task(self._guard(self._work()))
        lane = asyncio.create_task(self._guard(self._run_lane()))
        try:
            await self._read(receive)
            self._calls.put_nowait(None)
            self.lane.stop()
            await asyncio.wait((worker, lane), timeout=FINISH_S)
        finally:
            worker.cancel()
            lane.cancel()

    async def send(self, text: str, *, action: str = "") -> None:
        self._frames.add(self.station_pk, OUT, text, action=action)
        await self._send_text(text)

    async def close(self, why: Close) -> None:
        """Close the socket; frames that come after this are left to the station's queue.

        Not those of a socket that was replaced: a StopTransaction that arrives there counts (P7).
        """
        self._is_deaf = self._is_deaf or why is not Close.REPLACED
        if not self._is_closing:
            self._is_closing = True
            logger.info("%s: closing, %s", self.station_id, why.name.lower())
            await self._close_socket(int(why))  # autobahn takes no IntEnum

    async def drain(self, within_s: float) -> None:
        """Answer what has come, then close: the process ends."""
        self._is_deaf = True
        try:
            async with asyncio.timeout(within_s):
                await self._is_idle.wait()
        except TimeoutError:
            logger.warning("%s: closed with calls unanswered", self.station_id)
        await self.close(Close.SHUTDOWN)

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
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            if not self._is_deaf:
                await self._take(event)
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
        frame = self._frames.add(self.station_pk, IN, text, action=self._action_of(message))
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
        answer = self._charge_point.answer_at_once(request)
        if answer is not None:
            await self.send(answer, action=request.call.action)
        elif self._unhandled >= MAX_UNHANDLED:
            await self.close(Close.FLOODED)
        else:
            self._unhandled += 1
            self._is_idle.clear()
            self._calls.put_nowait(request)

    async def _work(self) -> None:
        while (request := await self._calls.get()) is not None:
            await self._charge_point.handle(request)
            self.lane.open(self._charge_point.registration)
            self._unhandled -= 1
            if not self._unhandled:
                self._is_idle.set()

    async def _run_lane(self) -> None:
        await patiently(_resume, self.station_pk)
        await self.lane.run()


def _resume(station_pk: int) -> None:
    resume(station=Station.objects.get(pk=station_pk))
