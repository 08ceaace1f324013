"""When this process must act on charging sessions: stop one at its limit, ask one for a sample.

Only a reminder: the row says what counts, and the worker looks there a little later. A session has
one timer, set to what comes next; where that moves back it is left, and looks again as it rings.
"""

import asyncio
import datetime as dt
import logging
import uuid
from collections.abc import Awaitable

from django.utils import timezone

from sessions_app.outlook import Outlook
from sessions_app.services import steering
from sessions_app.services.steering import Plan

from .bridge import DatabaseAway, in_time

logger = logging.getLogger(__name__)

FAR = dt.timedelta(minutes=15)
"""What is later than this is planned anew by a reading before, or looked at by the worker."""


class Agenda:
    """The plans of the sessions whose sockets are here, or were a moment ago."""

    def __init__(self) -> None:
        self._outlooks: dict[uuid.UUID, Outlook] = {}
        self._timers: dict[uuid.UUID, asyncio.TimerHandle] = {}
        self._acting: set[asyncio.Task[None]] = set()

    def note(self, plan: Plan | None) -> None:
        """Take note of the latest plan of a session."""
        if plan is not None:
            self.set(plan.session_id, plan.outlook)

    def set(self, session_id: uuid.UUID, outlook: Outlook) -> None:
        next_at = _next(outlook)
        if next_at is None or next_at - timezone.now() > FAR:
            self._outlooks.pop(session_id, None)  # its timer, if it has one, finds nothing
            return
        self._outlooks[session_id] = outlook
        delay_s = max(0.0, (next_at - timezone.now()).total_seconds())
        timer = self._timers.get(session_id)
        loop = asyncio.get_running_loop()
        if timer is None or timer.when() > loop.time() + delay_s:
            if timer is not None:
                timer.cancel()
            self._timers[session_id] = loop.call_later(delay_s, self._ring, session_id)

    def end(self) -> None:
        """Forget everything: the process ends, and the worker looks at the rows."""
        for timer in self._timers.values():
            timer.cancel()
        for task in self._acting:
            task.cancel()
        self._timers.clear()
        self._outlooks.clear()

    def _ring(self, session_id: uuid.UUID) -> None:
        self._timers.pop(session_id, None)
        outlook = self._outlooks.pop(session_id, None)
        if outlook is None:
            return
        now = timezone.now()
        if outlook.stop_at is not None and outlook.stop_at <= now:
            self._begin(self._stop(session_id))
        elif outlook.ask_at is not None and outlook.ask_at <= now:
            self.set(session_id, outlook._replace(ask_at=None))
            self._begin(self._ask(session_id))
        else:
            self.set(session_id, outlook)

    def _begin(self, action: Awaitable[None]) -> None:
        task = asyncio.ensure_future(_guarded(action))
        self._acting.add(task)
        task.add_done_callback(self._acting.discard)

    async def _stop(self, session_id: uuid.UUID) -> None:
        self.note(await in_time(steering.stop_due, session_id, timezone.now()))

    async def _ask(self, session_id: uuid.UUID) -> None:
        await in_time(steering.ask_due, session_id)


def _next(outlook: Outlook) -> dt.datetime | None:
    return min((at for at in (outlook.stop_at, outlook.ask_at) if at is not None), default=None)


async def _guarded(action: Awaitable[None]) -> None:
    """An action that fails is left to the worker."""
    try:
        await action
    except DatabaseAway as error:
        logger.warning("a limit is left to the worker: %s", error)
    except Exception:
        logger.exception("a limit is left to the worker")
