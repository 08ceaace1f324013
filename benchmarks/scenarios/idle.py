"""What a connection costs in memory while its station says nothing."""

from ..figures import Figure, Findings, Goal
from ..fleet import Fleet
from ..options import DAPHNE, UVICORN
from ..stage import Stage

GOALS = {DAPHNE: Goal(38, 30), UVICORN: Goal(32, 24)}
NAME = "Idle memory a connection, {kind}"
HOW = (
    "growth of the `serve` process's memory (PSS) from {few:,} to {many:,} stations that booted "
    "once, told the state of their connector and were read by Kubat, for each of the {more:,} more"
)


async def run(stage: Stage) -> Findings:
    """Measure each server that is there."""
    findings = Findings()
    for kind, goal in GOALS.items():
        name = NAME.format(kind=kind)
        if kind in stage.kinds():
            findings.figures.append(await _measure(stage, kind, name, goal))
        else:
            findings.figures.append(stage.without(kind, name, "KiB", goal))
    return findings


async def _measure(stage: Stage, kind: str, name: str, goal: Goal) -> Figure:
    sizes = stage.options.sizes
    more = sizes.idle_many - sizes.idle_few
    with stage.database() as database, stage.kubat(database, kind) as server:
        few = Fleet(sizes.idle_few, port=server.port)
        many = Fleet(more, port=server.port, first=sizes.idle_few + 1)
        try:
            memory_kib = []
            for fleet in (few, many):
                await fleet.boot()
                memory_kib.append(server.memory_kib())
                stage.say(f"  {name}: {memory_kib[-1] / 1024:.0f} MiB")
            for fleet in (few, many):
                fleet.check()
        finally:
            few.close()
            many.close()
    how = HOW.format(few=sizes.idle_few, many=sizes.idle_many, more=more)
    return Figure(name, "KiB", [(memory_kib[1] - memory_kib[0]) / more], how, goal)
