"""The seeded driver: lets each fault happen at its moment, and ends them all when time is up."""

import asyncio

from .house import House
from .journal import Journal
from .proxy import Proxy
from .schedule import Fault, Schedule
from .swarm import Swarm

OF_STATION = ("power", "clock", "repeat", "offline")


class Storm:
    """All faults of a schedule, each at its own moment."""

    def __init__(self, house: House, proxy: Proxy, swarm: Swarm, journal: Journal) -> None:
        self._house, self._proxy, self._swarm = house, proxy, swarm
        self._journal = journal

    async def rage(self, schedule: Schedule) -> None:
        """Let everything go wrong in its time; return when the last fault is over."""
        loop = asyncio.get_running_loop()
        opening = loop.time()
        async with asyncio.TaskGroup() as tasks:
            for fault in schedule.faults:
                await asyncio.sleep(max(0.0, opening + fault.at_s - loop.time()))
                tasks.create_task(self._let(fault))
            left_s = opening + schedule.options.lasts_s - loop.time()
            await asyncio.sleep(max(0.0, left_s))
        self._proxy.calm()

    async def _let(self, fault: Fault) -> None:
        self._journal.note(f"FAULT {fault}", "" if fault.target in _WIDE else fault.target)
        if fault.target in self._house.programs:
            await self._house.suffer(fault)
        elif fault.kind in OF_STATION:
            await self._swarm.suffer(fault)
        else:
            await self._break_network(fault)

    async def _break_network(self, fault: Fault) -> None:
        proxy, station_id = self._proxy, fault.target
        match fault.kind:
            case "cut":
                proxy.cut(station_id)
            case "cut-all":
                proxy.cut()
            case "half-close":
                proxy.half_close(station_id)
            case "lose-reply" | "tear-reply":
                is_torn = fault.kind == "tear-reply"
                proxy.lose_reply(station_id, fault.detail, is_torn=is_torn)
            case "move":
                proxy.move(station_id)
            case _:
                await self._disturb(fault)

    async def _disturb(self, fault: Fault) -> None:
        """What the network does for a while."""
        proxy, station_id, lasts_s = self._proxy, fault.target, fault.lasts_s
        match fault.kind:
            case "freeze":
                await proxy.freeze(lasts_s, station_id)
            case "freeze-all":
                await proxy.freeze(lasts_s)
            case "delay":
                await proxy.delay(lasts_s, station_id)
            case "half-open":
                await proxy.half_open(lasts_s, station_id)
            case "outage":
                await proxy.bar(lasts_s, station_id)


_WIDE = ("network", "postgres", "redis", "worker", "serve-1", "serve-2")
