"""All stations of a network come back in the same moment."""

import asyncio
import time
from dataclasses import dataclass

from ..figures import Figure, Findings, Goal
from ..fleet import KEY, Fleet
from ..options import DAPHNE, UVICORN
from ..stage import Stage

GOALS = {DAPHNE: Goal(8, 5), UVICORN: None}
NAME = "{count:,} stations at once until all are booted, {kind}"
HOW = (
    "from the first connect to the last BootNotification's answer, stations with keys that never "
    "connected before, on {engine}; one that is turned away or cut off comes again after 1 to 3 s, "
    "which happened {retries} times in the last storm; there the load took {client:.1f} s of CPU, "
    "`serve` {own:.1f} s"
)
LATE = (
    "after {within:.0f} s only {booted:,} had booted, on {engine}; stations were turned away or "
    "cut off {retries} times; the load took {client:.1f} s of CPU, `serve` {own:.1f} s"
)


async def run(stage: Stage) -> Findings:
    """Measure each server that is there."""
    findings = Findings()
    for kind, goal in GOALS.items():
        name = NAME.format(count=stage.options.sizes.storm, kind=kind)
        if kind in stage.kinds():
            findings.figures.append(await _measure(stage, kind, name, goal))
        else:
            findings.figures.append(stage.without(kind, name, "s", goal))
    return findings


async def _measure(stage: Stage, kind: str, name: str, goal: Goal | None) -> Figure:
    sizes = stage.options.sizes
    took_s: list[float] = []
    for _ in range(sizes.storms):
        storm = await _storm(stage, kind)
        stage.say(f"  {name}: {storm.took_s:.1f} s, {storm.how}")
        if not storm.is_over:
            return Figure(name, "s", (), storm.how, goal, missing=storm.how)
        took_s.append(storm.took_s)
        if storm.took_s > sizes.storm_within_s / 4:
            break  # there is no need to see that again
    return Figure(name, "s", took_s, storm.how, goal)


@dataclass(frozen=True, slots=True)
class Storm:
    took_s: float
    is_over: bool
    how: str


async def _storm(stage: Stage, kind: str) -> Storm:
    """One storm on a new database."""
    sizes = stage.options.sizes
    with stage.database() as database, stage.kubat(database, kind) as server:
        fleet = Fleet(sizes.storm, port=server.port)
        own, began, client = server.cpu_s(), time.monotonic(), time.process_time()
        try:
            booted = await _arrive(fleet, sizes.storm_within_s)
            took_s = time.monotonic() - began
            is_over = booted == sizes.storm
            how = (HOW if is_over else LATE).format(
                engine=database.engine,
                retries=fleet.watch.retries,
                client=time.process_time() - client,
                own=server.cpu_s() - own,
                within=sizes.storm_within_s,
                booted=booted,
            )
        finally:
            fleet.close()
    return Storm(took_s, is_over, how)


async def _arrive(fleet: Fleet, within_s: float) -> int:
    """Let all connect in this moment; return how many were booted in time. Raises WrongReply."""
    tasks = [asyncio.create_task(station.arrive(fleet.port, key=KEY)) for station in fleet.stations]
    done, late = await asyncio.wait(tasks, timeout=within_s)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for task in done:
        task.result()
    fleet.check()
    return len(done)
