"""One WebSocket of a station: the frames of OCPP-J 1.6, and nothing of what they are about.

It is written on plain frames and not on python-ocpp: the gateway stands on that library, and what
both ends misread in the same way no test would see.
"""

import asyncio
import base64
import contextlib
import json
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from .errors import CallRefused, Disconnected, HandshakeRefused, NoAnswer, Unreachable

Payload = dict[str, Any]

SUBPROTOCOL = Subprotocol("ocpp1.6")
CALL, CALLRESULT, CALLERROR = 2, 3, 4
ANSWER_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply to a call of the central system, and what to do once it is out.

    With `waits_for` it goes out only after that; meanwhile other frames are read.
    """

    payload: Payload
    then: Callable[[], None] | None = None
    waits_for: Awaitable[None] | None = None


@dataclass(slots=True)
class _Pending:
    action: str
    reply: asyncio.Future[Payload]


def address_of(url: str, station_id: str) -> str:
    """Return where a station connects: its identity is the last part of the path.

    An address without a path means Kubat's own, `/ws/`.
    """
    base = url.rstrip("/")
    if not urllib.parse.urlsplit(base).path:
        base += "/ws"
    return f"{base}/{urllib.parse.quote(station_id, safe='')}"


async def dial(url: str, station_id: str, key: str = "") -> ClientConnection:
    """Open the socket, with HTTP Basic when there is a key (security profiles 1 and 2).

    Raises HandshakeRefused, Unreachable.
    """
    credentials = base64.b64encode(f"{station_id}:{key}".encode()).decode()
    try:
        socket = await connect(
            address_of(url, station_id),
            subprotocols=[SUBPROTOCOL],
            additional_headers={"Authorization": f"Basic {credentials}"} if key else None,
            proxy=None,  # a station knows no proxy; one in this environment is for other programs
        )
    except InvalidStatus as refusal:
        raise HandshakeRefused(refusal.response.status_code) from None
    except (OSError, WebSocketException, ValueError) as error:
        raise Unreachable(f"no connection to {url}: {error}") from error
    if socket.subprotocol != SUBPROTOCOL:
        socket.transport.abort()
        raise Unreachable(f"{url} did not agree to {SUBPROTOCOL}")
    return socket


class Wire:
    """Calls go out one at a time; calls that come in are answered in between (they cross)."""

    def __init__(
        self,
        socket: ClientConnection,
        *,
        message_ids: Iterator[int],
        answer: Callable[[str, Payload], Answer | None],
        lose_reply: Callable[[str, Payload], bool],
    ) -> None:
        """`lose_reply` says of each result whether the connection breaks instead of its arrival."""
        self._socket = socket
        self._message_ids = message_ids
        self._answer = answer
        self._lose_reply = lose_reply
        self._turn = asyncio.Lock()
        self._pending: dict[str, _Pending] = {}
        self._late: set[asyncio.Task[None]] = set()

    async def call(self, action: str, payload: Payload) -> Payload:
        """Send one call and return its result.

        Raises CallRefused, NoAnswer, Disconnected.
        """
        async with self._turn:
            message_id = str(next(self._message_ids))
            reply: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
            self._pending[message_id] = _Pending(action, reply)
            try:
                await self._send([CALL, message_id, action, payload])
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    return await reply
            except TimeoutError:
                raise NoAnswer(f"{action} was not answered in {ANSWER_TIMEOUT_S} s") from None
            finally:
                del self._pending[message_id]
                reply.cancel()  # else one that failed while the call went out counts as unheard

    async def listen(self) -> None:
        """Read frames until the socket is gone, then raise Disconnected."""
        try:
            while True:
                await self._take(await self._socket.recv())
        except ConnectionClosed as closed:
            raise Disconnected(str(closed)) from closed
        finally:
            for task in self._late:
                task.cancel()
            for pending in self._pending.values():
                if not pending.reply.done():
                    pending.reply.set_exception(Disconnected("the socket is gone"))

    async def until_answered(self) -> None:
        """Wait until the answers that are late are out."""
        if self._late:
            await asyncio.wait(self._late)

    def abort(self) -> None:
        """Drop the connection without a close frame, as a cut cable does."""
        self._socket.transport.abort()

    async def close(self) -> None:
        await self._socket.close()

    async def _take(self, text: str | bytes) -> None:
        """Act on a frame; what is none is ignored."""
        try:
            frame = json.loads(text)
        except ValueError:
            return
        match frame:
            case [2, str(message_id), str(action), dict(payload)]:
                await self._reply(message_id, action, payload)
            case [3, str(message_id), dict(payload)]:
                self._finish(message_id, payload)
            case [4, str(message_id), str(code), str(description), *_]:
                self._finish(message_id, CallRefused(code, description))

    async def _reply(self, message_id: str, action: str, payload: Payload) -> None:
        try:
            answer = self._answer(action, payload)
        except CallRefused as refusal:
            await self._send([CALLERROR, message_id, refusal.code, str(refusal), {}])
            return
        if answer is None:
            return
        if answer.waits_for is not None:
            late = self._reply_late(message_id, answer.payload, answer.waits_for)
            task = asyncio.create_task(late)
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            return
        await self._send([CALLRESULT, message_id, answer.payload])
        if answer.then:
            answer.then()

    async def _reply_late(
        self, message_id: str, payload: Payload, waits_for: Awaitable[None]
    ) -> None:
        await waits_for
        with contextlib.suppress(Disconnected):
            await self._send([CALLRESULT, message_id, payload])

    def _finish(self, message_id: str, outcome: Payload | CallRefused) -> None:
        pending = self._pending.get(message_id)
        if pending is None or pending.reply.done():
            return
        if isinstance(outcome, CallRefused):
            pending.reply.set_exception(outcome)
        elif self._lose_reply(pending.action, outcome):
            self.abort()
        else:
            pending.reply.set_result(outcome)

    async def _send(self, frame: list[Any]) -> None:
        try:
            await self._socket.send(json.dumps(frame))
        except ConnectionClosed as closed:
            raise Disconnected(str(closed)) from closed
