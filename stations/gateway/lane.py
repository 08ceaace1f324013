"""The command lane of one socket: our calls to the station, one at a time (design section 5).

It is rung by the doorbell, by the end of a call, and by the process that looks at the rows every
few seconds. A call waits here for its answer and never inside a handler: the station may send
calls of its own before it answers (they cross).
"""

import asyncio
import contextlib
import json
import logging
from typing import Any, Protocol

from django.db import InterfaceError, OperationalError

from billing import context, tracing
from sessions_app.services import calls
from stations import commands, configuration, key_report
from stations.masking import mask
from stations.models import Command, Station

from . import schemas, wire
from .bridge import in_database, patiently
from .followed import Followed
from .handshake import Admission

logger = logging.getLogger(__name__)

UNASKED_AFTER_S = 3.0
"""How long calls wait for a Boot that may never come: many stations send none on a reconnect."""
SETUP_AFTER_S = 5.0
"""A set-up that was cut off goes on when the lane has been empty for so long."""
RETRY_S = 1.0

Answer = wire.Result | wire.Refusal


class Socket(Protocol):
    """What the lane must know of its socket."""

    station_pk: int
    station_id: str
    fence: int
    subprotocol: str
    turns: asyncio.Semaphore

    @property
    def followed(self) -> Followed: ...

    async def send(self, text: str, *, action: str = "") -> None: ...

    def wake_lane(self) -> None: ...


class _Outstanding:
    """The one call that waits for its answer; the answer is None when the socket closes first."""

    def __init__(self, message_id: str, action: str) -> None:
        self.id = message_id
        self.action = action
        self.answer: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

    def is_ended_by(self, answer: Answer) -> bool:
        return answer.id == self.id and not self.answer.done()

    def end(self, answer: Answer | None) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


class Lane:
    """Sends what is queued for one socket. `stop` ends it with the socket.

    `run` is its loop; it returns when only a bell can bring more, and the bell has it run again.
    """

    __slots__ = (
        "_bell",
        "_connected_at",
        "_empty_since",
        "_is_due",
        "_is_stopped",
        "_may_set_up",
        "_outstanding",
        "_registration",
        "_socket",
        "_was_accepted",
    )

    def __init__(self, socket: Socket, admission: Admission) -> None:
        self._socket = socket
        self._was_accepted = admission.was_accepted
        self._registration: Station.Registration | None = None
        self._bell: asyncio.Event | None = None
        self._is_due = admission.may_have_queued
        """Whether something may be queued: to look costs a query, and a station more of them."""
        self._is_stopped = False
        self._outstanding: _Outstanding | None = None
        self._connected_at = asyncio.get_running_loop().time()
        self._empty_since = self._connected_at
        self._may_set_up = admission.may_go_on

    def ring(self) -> None:
        self._is_due = True
        if self._bell is not None:
            self._bell.set()
        elif not self._is_stopped:
            self._socket.wake_lane()

    def open(self, registration: Station.Registration | None, *, has_queued: bool = True) -> None:
        """Take note of how the last Boot over this socket was answered.

        An accepted one has begun the set-up, or let it go on, if there was any to do. Where the
        lane has not been rung either, there is nothing to look for.
        """
        if registration is None or registration == self._registration:
            return
        self._registration = registration
        self._may_set_up = self._may_set_up and registration != Station.Registration.ACCEPTED
        if has_queued or self._is_due:
            self.ring()

    def take(self, answer: Answer) -> bool:
        """Take the answer to the outstanding call; False when there is no such call."""
        if self._outstanding is None or not self._outstanding.is_ended_by(answer):
            return False
        self._outstanding.end(answer)
        return True

    def asked(self, answer: Answer) -> str:
        """The action that an answer is to, empty when nothing like it is outstanding."""
        outstanding = self._outstanding
        return outstanding.action if outstanding and outstanding.id == answer.id else ""

    def stop(self) -> None:
        """End the loop, after it has stored an answer that has come."""
        self._is_stopped = True
        self.ring()
        if self._outstanding is not None:
            self._outstanding.end(None)

    async def run(self) -> None:
        """Send what is queued, until nothing is or the socket closes. Raises DatabaseAway."""
        self._bell = asyncio.Event()
        try:
            await self._run(self._bell)
        finally:
            self._bell = None

    async def _run(self, bell: asyncio.Event) -> None:
        while not self._has_stopped():
            bell.clear()
            try:
                command = await self._claim()
            except (OperationalError, InterfaceError) as error:
                logger.warning("%s: cannot look for commands: %s", self._socket.station_id, error)
                await asyncio.sleep(RETRY_S)
                self._is_due = True
                continue
            if self._has_stopped():
                return  # what was just claimed is cut off with the socket
            if command is not None:
                await self._call(command)
            elif not await self._set_up() and not await self._rest(bell):
                return

    def _has_stopped(self) -> bool:
        return self._is_stopped

    def _up_to(self) -> Command.Lane | None:
        """Which lanes may go now: nothing of our own before Boot is answered (see the design)."""
        if self._registration is not None:
            is_accepted = self._registration == Station.Registration.ACCEPTED
        elif self._now() - self._connected_at < UNASKED_AFTER_S:
            return None
        else:
            is_accepted = self._was_accepted
        return Command.Lane.OWN if is_accepted else Command.Lane.ASKED

    async def _claim(self) -> Command | None:
        up_to = self._up_to()
        if up_to is None or not self._is_due or self._has_stopped():
            return None
        self._is_due = False
        async with self._socket.turns:
            return await in_database(
                calls.claim,
                station_pk=self._socket.station_pk,
                fence=self._socket.fence,
                up_to=up_to,
            )

    async def _call(self, command: Command) -> None:
        """Send one call, wait for its answer, and store how it ended; all of it as one step."""
        here = {"station_id": self._socket.station_id}
        told = here | _about(command)
        context.begin(told)  # what fails here is logged further out
        call = f"call {command.action}"
        with tracing.span(call, parent=command.trace_parent, kind="client") as step:
            step.set(**told)
            step.event("queued", command.created_at)
            step.event("claimed", command.sent_at)
            await self._exchange(command, step)
        context.begin(here)

    async def _exchange(self, command: Command, step: tracing.Span) -> None:
        outstanding = self._outstanding = _Outstanding(str(command.pk), command.action)
        try:
            text = wire.call(outstanding.id, command.action, command.payload)
            await self._socket.send(text, action=command.action)
            async with asyncio.timeout(command.timeout_s):
                answer = await outstanding.answer
        except TimeoutError:
            step.set(outcome="timed_out")
            await patiently(calls.record_silence, command.pk)
        else:
            step.set(outcome=_outcome(answer))
            if answer is not None:
                await self._store(command, answer)
                self._socket.followed.forget()  # the interval of samples may be another one
        finally:
            self._outstanding = None
            self._is_due = True
            self._empty_since = self._now()

    async def _store(self, command: Command, answer: Answer) -> None:
        """Store an answer; that to a call of our own waits for its turn."""
        is_own = command.lane == Command.Lane.OWN
        async with self._socket.turns if is_own else contextlib.nullcontext():
            await patiently(_record, command, self._socket.subprotocol, answer)

    async def _set_up(self) -> bool:
        """Let a set-up go on that was cut off; True when it was asked, once a socket."""
        is_due = self._now() - self._empty_since >= SETUP_AFTER_S
        if not (is_due and self._may_set_up and self._up_to() == Command.Lane.OWN):
            return False
        self._may_set_up = False
        await patiently(configuration.go_on, self._socket.station_pk)
        return True

    async def _rest(self, bell: asyncio.Event) -> bool:
        """Wait for the bell, or for what time alone changes; False when only the bell is left."""
        moments = []
        if self._registration is None and self._is_due:
            moments.append(self._connected_at + UNASKED_AFTER_S)
        if self._may_set_up:
            moments.append(self._empty_since + SETUP_AFTER_S)
        ahead = [moment for moment in moments if moment > self._now()]
        if not ahead and not bell.is_set():
            return False
        try:
            async with asyncio.timeout_at(min(ahead, default=None)):
                await bell.wait()
        except TimeoutError:
            pass
        return True

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _about(command: Command) -> dict[str, str]:
    """What a call is about, for the log and the trace."""
    kind, _, row_id = command.reference.partition(":")
    told = {"command_id": str(command.pk)}
    return {**told, "session_id": row_id} if kind == "session" else told


def _outcome(answer: Answer | None) -> str:
    if answer is None:
        return "disconnected"
    if isinstance(answer, wire.Refusal):
        return answer.code or "GenericError"
    return str(answer.payload.get("status", "answered"))[:50]


def _record(command: Command, subprotocol: str, answer: Answer) -> None:
    """Store an answer; one that breaks its schema says nothing that can be relied on."""
    if isinstance(answer, wire.Refusal):
        calls.record_refusal(command.pk, answer.code or "GenericError", answer.description)
        return
    breach = None
    meant = answer.payload
    if command.action == configuration.READ:
        meant = key_report.tidied(meant)
    if schemas.is_known(subprotocol, command.action):
        breach = schemas.response_breach(subprotocol, command.action, meant)
    if breach is not None:
        calls.record_refusal(command.pk, commands.INVALID_RESPONSE, breach.description)
    else:
        calls.record_answer(command.pk, mask(_storable(answer.payload)))


def _storable(payload: dict[str, Any]) -> dict[str, Any]:
    """PostgreSQL holds no U+0000, not even in JSON."""
    text = json.dumps(payload)
    if "\\u0000" not in text:
        return payload
    stored: dict[str, Any] = json.loads(text.replace("\\u0000", "\\ufffd"))
    return stored
