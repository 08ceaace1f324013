"""MeterValues that are validated, and of which there is nothing to store."""

import contextlib

from ..figures import Figure, Findings, Goal
from ..lineup import Lineup
from ..messages import MeterValues
from ..options import DAPHNE, UVICORN
from ..stage import Stage

GOALS = {DAPHNE: Goal(3, 2.5), UVICORN: Goal(1.8, 1.35)}
NAME = "MeterValues validated, nothing to store, {kind}"
HOW = (
    "CPU of the `serve` process a reply, over that of the echo in the same round. A MeterValues "
    "of 568 bytes with three voltages and a temperature; {stations} stations with one call "
    "outstanding each; frames kept, on {engine}"
)


async def run(stage: Stage) -> Findings:
    """Measure Kubat beside the echo, python-ocpp's example, and Channels with python-ocpp."""
    async with contextlib.AsyncExitStack() as stack:
        lineup = Lineup(stage, MeterValues("ambient"), stack)
        kubats = {kind: (await lineup.kubat(kind))[0] for kind in stage.kinds()}
        echo = await lineup.echo()
        await lineup.baseline("python-ocpp example on `websockets`", "example")
        await lineup.baseline("Channels + python-ocpp on Daphne", "stock", STOCK_STORES="false")
        findings = await lineup.measure("MeterValues, nothing to store")
    for kind, goal in GOALS.items():
        name = NAME.format(kind=kind)
        if kind in kubats:
            how = HOW.format(stations=stage.options.sizes.stations, engine=stage.engine)
            findings.figures.append(Figure(name, "× echo", kubats[kind].per(echo), how, goal))
        else:
            findings.figures.append(stage.without(kind, name, "× echo", goal))
    return findings
