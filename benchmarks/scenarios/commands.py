"""A command's way from an API process over PostgreSQL and Redis to a station and back."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import Sequence

import psycopg

from ..api import Api
from ..figures import Figure, Findings, Goal
from ..fleet import Fleet, station_id
from ..options import DAPHNE, UVICORN
from ..stage import Stage
from ..station import Station

GOALS = {"p50": Goal(10, 4), "p99": Goal(40, 15)}
WHOLE = "Command from an API process to a station and back, {place}, {kind}"
OUT = "Command from an API process to a station, {place}, {kind}"
HOW = (
    "from the first byte of the POST at one `serve` to the `resolved_at` of the row that the "
    "other `serve`, which has the sockets, writes (both clocks are this machine's); {count} "
    "ClearCache, one after the other, over {stations} idle stations, on PostgreSQL and Redis"
)
HOW_OUT = "the same from the first byte of the POST to the call's arrival at the station"
WITHIN_S = 30
PERCENT = {"p50": 50, "p99": 99}


async def run(stage: Stage) -> Findings:
    """Measure each server that is there."""
    findings = Findings()
    for kind in (DAPHNE, UVICORN):
        name = WHOLE.format(place="p50 and p99", kind=kind)
        if kind not in stage.kinds():
            findings.figures.append(stage.without(kind, name, "ms", None))
        elif stage.postgres is None or stage.redis_url is None:
            missing = "skipped: no PostgreSQL or no Redis here"
            findings.figures.append(Figure(name, "ms", missing=missing))
        else:
            findings.figures += await _measure(stage, kind, stage.redis_url)
    return findings


async def _measure(stage: Stage, kind: str, redis_url: str) -> list[Figure]:
    sizes = stage.options.sizes
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(stage.database())
        holder, asked = (
            stack.enter_context(stage.kubat(database, kind, redis_url=redis_url)) for _ in range(2)
        )
        fleet = Fleet(sizes.command_stations, port=holder.port)
        stack.callback(fleet.close)
        await fleet.boot()
        trips = Trips(fleet, Api(asked.port), database.url)
        await trips.make(sizes.commands)
        fleet.check()
    how = HOW.format(count=sizes.commands, stations=sizes.command_stations)
    return [
        *(
            Figure(
                WHOLE.format(place=place, kind=kind),
                "ms",
                [_percentile(trips.whole_ms, place)],
                how,
                goal,
            )
            for place, goal in GOALS.items()
        ),
        *(
            Figure(
                OUT.format(place=place, kind=kind),
                "ms",
                [_percentile(trips.out_ms, place)],
                HOW_OUT,
            )
            for place in GOALS
        ),
    ]


class Trips:
    """Commands, one after the other, and how long each took there, and there and back."""

    def __init__(self, fleet: Fleet, api: Api, database_url: str) -> None:
        self.out_ms: list[float] = []
        self.whole_ms: list[float] = []
        self._fleet, self._api, self._url = fleet, api, database_url
        self._arrived_at = 0.0
        self._arrived = asyncio.Event()
        fleet.watch.on_call = self._note

    async def make(self, count: int) -> None:
        await self._api.log_in()
        asked_at: dict[str, float] = {}
        for number in range(count):
            target = station_id(number % len(self._fleet.stations) + 1)
            self._arrived.clear()
            began = time.time()
            row = await self._api.post(
                f"/ocpp/stations/{target}/commands", {"action": "ClearCache", "payload": {}}
            )
            async with asyncio.timeout(WITHIN_S):
                await self._arrived.wait()
            self.out_ms.append((self._arrived_at - began) * 1000)
            await self._see_answered(row["id"])
            asked_at[row["id"]] = began
        await self._api.close()
        self._read_rows(asked_at)

    def _note(self, station: Station, action: str) -> None:
        if action == "ClearCache":
            self._arrived_at = time.time()
            self._arrived.set()

    async def _see_answered(self, command_id: str) -> None:
        """Wait until this command is over, so that the next one meets an idle system."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                row = await self._api.get(f"/ocpp/commands/{command_id}")
                if row["status"] == "answered":
                    return
                await asyncio.sleep(0.02)

    def _read_rows(self, asked_at: dict[str, float]) -> None:
        with psycopg.connect(self._url) as connection:
            rows = connection.execute("SELECT id, resolved_at FROM stations_command").fetchall()
        resolved_at = {str(pk): at.timestamp() for pk, at in rows if at is not None}
        self.whole_ms = [(resolved_at[pk] - began) * 1000 for pk, began in asked_at.items()]


def _percentile(values: Sequence[float], place: str) -> float:

    return statistics.quantiles(values, n=100, method="inclusive")[PERCENT[place] - 1]
