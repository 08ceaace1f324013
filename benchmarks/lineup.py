"""Contestants of one scenario: each a server and a fleet of its own, up until its end."""

import asyncio
import contextlib
import functools
from collections.abc import Callable
from typing import TypeVar

from . import servers
from .figures import Findings
from .fleet import Fleet, Meter
from .messages import Kind
from .rounds import Contestant, alternate
from .servers import Server
from .stage import POSTGRESQL, Database, Stage

T = TypeVar("T")


class Lineup:
    """Brings contestants up one after the other; `stack` takes them down."""

    def __init__(self, stage: Stage, kind: Kind, stack: contextlib.AsyncExitStack) -> None:
        self.stage, self.kind, self._stack = stage, kind, stack
        self.contestants: list[Contestant] = []

    async def echo(self) -> Contestant:
        server = await self._enter(servers.baseline("echo", "echo", directory=self.stage.directory))
        fleet = self._fleet(server, is_echoed=True)
        await fleet.connect()
        return self._add("`websockets` echo", fleet, lambda: (server.cpu_s(),))

    async def baseline(
        self, name: str, module: str, *, is_metered: bool = False, **environment: str
    ) -> Contestant:
        """A program of `benchmarks/baselines/`, and its database's CPU time where it has one."""
        server = await self._enter(
            servers.baseline(name, module, directory=self.stage.directory, **environment)
        )
        fleet = self._fleet(server)
        await fleet.boot()
        return self._add(name, fleet, self._meter(server, is_metered=is_metered))

    async def kubat(self, kind: str, engine: str = "") -> tuple[Contestant, Server, Database]:
        """A `serve` of Kubat with its stations booted."""
        database = await self._enter(self.stage.database(engine))
        server = await self._enter(self.stage.kubat(database, kind))
        fleet = self._fleet(server)
        await fleet.boot()
        meter = self._meter(server, is_metered=database.engine == POSTGRESQL)
        name = f"Kubat, {kind}, {database.engine}"
        contestant = self._add(name, fleet, meter)
        contestant.count_frames = functools.partial(database.count, "stations_frame")
        return contestant, server, database

    async def measure(self, what: str) -> Findings:
        """Alternate all that are up; return their costs."""
        await alternate(self.contestants, self.stage.options.sizes, self.stage.say)
        return Findings(costs=[contestant.cost(what) for contestant in self.contestants])

    async def _enter(self, context: contextlib.AbstractContextManager[T]) -> T:
        """Enter it in a thread: fleets that are up must go on answering pings meanwhile."""
        return await asyncio.to_thread(self._stack.enter_context, context)

    def _fleet(self, server: Server, *, is_echoed: bool = False) -> Fleet:
        count = self.stage.options.sizes.stations
        fleet = Fleet(count, port=server.port, is_echoed=is_echoed)
        self._stack.callback(fleet.close)
        return fleet

    def _meter(self, server: Server, *, is_metered: bool) -> Meter:
        postgres = self.stage.postgres
        if is_metered and postgres is not None:
            return lambda: (server.cpu_s(), postgres.cpu_s())
        return lambda: (server.cpu_s(),)

    def _add(self, name: str, fleet: Fleet, meter: Callable[[], tuple[float, ...]]) -> Contestant:
        contestant = Contestant(name, fleet, self.kind, meter)
        self.contestants.append(contestant)
        return contestant
