"""The running sessions of one socket, followed so that a sample that keeps the rules reads no row.

What is kept here is only a copy: a step is bound to the version of its session's row, and the
process looks every few seconds whether the facts of the station are still the same.
"""

from sessions_app.facts import Metered
from sessions_app.running import Running, StationFacts
from sessions_app.services import tracking
from stations.clock import STEP_S

from .agenda import Agenda
from .writer import Writer


class Followed:
    """Sessions by their transaction; empty until a sample has gone the whole way."""

    __slots__ = ("_agenda", "_running", "_writer")

    def __init__(self, writer: Writer, agenda: Agenda) -> None:
        self._writer, self._agenda = writer, agenda
        self._running: dict[int, Running] = {}

    def take(self, running: Running | None) -> None:
        """Follow a session from here on."""
        if running is not None:
            self._running[running.transaction_id] = running

    def forget(self) -> None:
        """Follow nothing until the next sample: something else has changed sessions or station."""
        self._running.clear()

    def forget_unless(self, facts: StationFacts | None) -> None:
        """Forget where the facts of the station are not these any more."""
        if any(running.facts != facts for running in self._running.values()):
            self.forget()

    def __bool__(self) -> bool:
        return bool(self._running)

    async def advance(self, fact: Metered) -> bool:
        """Store one more sample, committed with those of other sockets (P4).

        False where it must go the whole way, with nothing stored. A message without any sample is
        done. Raises DatabaseAway.
        """
        if not fact.samples:
            return True
        running = self._find(fact)
        step = running.advance(fact, least_gain_s=STEP_S) if running else None
        if running is None or step is None:
            return False
        is_stored = await self._writer.put(tracking.store, step)
        if is_stored:
            running.take(step)
            self._agenda.set(step.session_id, step.onward.outlook)
        return is_stored

    def _find(self, fact: Metered) -> Running | None:
        """The session of a transaction; of none, or of 0 or -1, the one on the connector."""
        if fact.transaction_id is not None and fact.transaction_id > 0:
            return self._running.get(fact.transaction_id)
        mine = (one for one in self._running.values() if one.connector_id == fact.connector_id)
        return next(mine, None)
