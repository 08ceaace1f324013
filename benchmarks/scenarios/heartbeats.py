"""Heartbeats, which are answered without the database."""

import contextlib

from ..figures import Figure, Findings
from ..lineup import Lineup
from ..messages import Heartbeat
from ..stage import Stage

HOW = (
    "CPU of the `serve` process a reply; {stations} stations with one call outstanding each; "
    "frames kept, on {engine}"
)


async def run(stage: Stage) -> Findings:
    """Measure Kubat beside the echo."""
    async with contextlib.AsyncExitStack() as stack:
        lineup = Lineup(stage, Heartbeat(), stack)
        kubats = {kind: (await lineup.kubat(kind))[0] for kind in stage.kinds()}
        await lineup.echo()
        findings = await lineup.measure("Heartbeat")
    how = HOW.format(stations=stage.options.sizes.stations, engine=stage.engine)
    for kind, kubat in kubats.items():
        findings.figures.append(Figure(f"Heartbeat, {kind}", "µs", kubat.cost_us(), how))
    return findings
