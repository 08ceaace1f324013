"""The life of one simulated station: its power goes and comes, and its memory stays in a file."""

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Iterable

from stations.simulator.connector import Connector
from stations.simulator.errors import SimulatorError
from stations.simulator.memory import Memory, Transaction
from stations.simulator.station import SimulatedStation

from .journal import Journal, now

LIMIT_OF_PATIENCE_S = 60.0


class Life:
    """Keeps one station going, and every charge that it ever counted."""

    def __init__(self, station: SimulatedStation, *, offset_s: int, journal: Journal) -> None:
        self.station, self._journal = station, journal
        self.station_id = station.setup.station_id
        self.counted: dict[int, Transaction] = {}
        self.failures: list[str] = []
        self.has_power = True
        self._power_gone = asyncio.Event()
        self._off_s = 0.0
        if offset_s:
            self.set_clock(offset_s)

    async def live(self) -> None:
        """Be there until cancelled; a failure of the station is noted, and it comes back."""
        while True:
            try:
                async with self.station.powered():
                    await self._power_gone.wait()
                    self.station.cut_network()  # a loss of power closes no socket
            except SimulatorError as failure:
                self.failures.append(f"{self.station_id}: {failure}")
                self._journal.note(f"failed: {failure}", self.station_id)
                await asyncio.sleep(1)
            self.remember()
            await self._come_back()

    async def _come_back(self) -> None:
        await asyncio.sleep(self._off_s)
        assert self.station.memory.file is not None
        self.station.memory = Memory.load(self.station.memory.file)
        self.station.restore_network()
        self._power_gone.clear()
        self._off_s, self.has_power = 0.0, True

    def remember(self) -> None:
        """Keep what the station counted: what was confirmed is no longer in its memory."""
        self.counted |= {t.number: t for t in self._known()}

    def _known(self) -> Iterable[Transaction]:
        return (*self.station.memory.transactions.values(), *self.station.delivered)

    @property
    def running(self) -> list[Connector]:
        if not self.has_power:
            return []
        return [c for c in self.station.connectors.values() if c.transaction is not None]

    @property
    def owes(self) -> bool:
        """Whether anything that costs money is not told yet."""
        return bool(self.station.memory.transactions or self.station.memory.queue)

    # --- What befalls it --------------------------------------------------------------------

    def lose_power(self, lasts_s: float) -> None:
        self._off_s, self.has_power = lasts_s, False
        self._power_gone.set()

    def set_clock(self, offset_s: int) -> None:
        """Be wrong by so much from now on; what the server says changes nothing."""
        self.station.clock.set(now() + dt.timedelta(seconds=offset_s))
        self.station.quirks = dataclasses.replace(self.station.quirks, ignores_time=True)

    async def repeat(self, action: str, lasts_s: float) -> None:
        """Send each message of a kind twice for a while."""
        self.station.quirks = dataclasses.replace(self.station.quirks, repeated=frozenset({action}))
        await asyncio.sleep(lasts_s)
        self.station.quirks = dataclasses.replace(self.station.quirks, repeated=frozenset())

    async def charge_offline(self, card: str, lasts_s: float) -> None:
        """Be without a network, and let a driver charge by card meanwhile where there is room."""
        self.station.cut_network()
        try:
            free = [c for c in self.station.connectors.values() if c.is_free]
            if free and self.has_power:
                await self.swipe(free[0], card)
            await asyncio.sleep(lasts_s)
            if free and self.has_power and free[0].transaction:
                self.station.end(free[0], "Local")
        finally:
            self.station.restore_network()

    async def swipe(self, connector: Connector, card: str) -> bool:
        """Let a driver hold a card to the station; return whether the charge began."""
        try:
            async with asyncio.timeout(LIMIT_OF_PATIENCE_S):
                await self.station.present_tag(connector, card)
        except (SimulatorError, TimeoutError) as refusal:
            self._journal.note(f"{card} did not charge: {refusal}", self.station_id)
            return False
        self.remember()
        return True

    def end_running(self) -> None:
        """Let every driver unplug."""
        for connector in self.running:
            self.station.end(connector, "EVDisconnected")
