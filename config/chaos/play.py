"""One run of chaos, from an empty directory to its findings."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from .checks import find
from .evidence import Evidence
from .finding import Finding
from .house import House
from .journal import Journal
from .proxy import Proxy
from .rest import come_to_rest, hear
from .schedule import Schedule
from .storm import Storm
from .swarm import Swarm
from .town import settle_town

FINISH_WITHIN_S = 90.0
"""A visit that asks under a key whose process died waits for a minute."""

Say = Callable[[str], None]


async def play(schedule: Schedule, house: House, journal: Journal, say: Say) -> Evidence:
    """Start everything, let it break, let it rest, and return what there is to judge.

    Raises CannotRun.
    """
    proxy = Proxy(house.ports, journal)
    try:
        await house.start()
        port = await proxy.open()
        town = await settle_town(house, schedule, url=f"ws://127.0.0.1:{port}", journal=journal)
        swarm = Swarm(town, schedule, journal)
        stations = asyncio.create_task(swarm.live())
        try:
            say(f"{len(schedule.faults)} faults in {schedule.options.lasts_s:g} s")
            await _rage(schedule, house, proxy, swarm, journal)
            say("the faults are over; coming to rest")
            unrest = await come_to_rest(house, swarm)
            return await hear(house, proxy, swarm, journal, schedule=schedule, unrest=unrest)
        finally:
            stations.cancel()
            await asyncio.wait([stations])
            await town.close()
    finally:
        await proxy.close()
        house.end()


async def _rage(
    schedule: Schedule, house: House, proxy: Proxy, swarm: Swarm, journal: Journal
) -> None:
    drivers = asyncio.create_task(swarm.receive())
    try:
        await Storm(house, proxy, swarm, journal).rage(schedule)
        swarm.is_open = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_WITHIN_S):
                await drivers
    finally:
        drivers.cancel()


def summary(evidence: Evidence) -> Iterator[str]:
    """What the run did, in figures: a run in which nothing happened proves nothing."""
    rows, seen = evidence.rows, evidence.seen
    states = Counter(row.status for row in rows.sessions)
    yield "sessions: " + ", ".join(f"{count} {name}" for name, count in sorted(states.items()))
    errors = Counter(row.error_code for row in rows.sessions if row.error_code)
    if errors:
        yield "errors: " + ", ".join(f"{count} {name}" for name, count in sorted(errors.items()))
    told = sum(1 for row in seen.charges if row.is_told)
    energy_wh = sum((row.meter_stop_wh or 0) - row.meter_start_wh for row in seen.charges)
    yield f"charges: {told} of {len(seen.charges)} told, {energy_wh / 1000:.3f} kWh"
    lost = sum(1 for row in seen.exchanges if row.is_lost)
    open_ = sum(1 for row in seen.exchanges if row.answered_at is None)
    yield (
        f"calls: {len(seen.exchanges)}, {open_} without an answer, {lost} answers lost; "
        f"{sum(seen.admitted.values())} connections; {len(rows.readings)} readings"
    )


def judge(evidence: Evidence) -> list[Finding]:
    return find(evidence)


def where_to_play(directory: Path, schedule: Schedule) -> tuple[House, Journal]:
    """Lay out the programs of a run in its directory; nothing is started."""
    journal = Journal()
    programs = schedule.options.programs
    return (
        House(
            directory, journal, has_postgres="postgres" in programs, has_redis="redis" in programs
        ),
        journal,
    )
