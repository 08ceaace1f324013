"""MeterValues of open sessions: priced, judged by their limit, and committed before the reply."""

import asyncio
import contextlib
import functools

from ..api import Api, ApiFailed
from ..figures import Figure, Findings, Goal
from ..fleet import station_id
from ..lineup import Lineup
from ..messages import MeterValues
from ..options import DAPHNE, UVICORN
from ..rounds import Contestant
from ..stage import POSTGRESQL, SQLITE, Database, Stage

LIMIT = "10000.00"
"""800 kWh, which no run reaches at 22 kW."""
START_TRIES = 20
ENGINES = (POSTGRESQL, SQLITE)
ECHO, POSTGRES, STOCK = Goal(5, 3), Goal(100, 45), Goal(0.08, 0.05)
NAME = "MeterValues of an open session, {place}"
HOW = (
    "{what}. A MeterValues of 568 bytes with energy, power, state of charge and a voltage, of "
    "{stations} sessions that were started by the API with a limit of "
    f"{LIMIT} KGS, one call outstanding each; limit checked, reading and cost committed before "
    "the reply, frames kept"
)
APP = "CPU of the `serve` process a reply, over that of {other} in the same round"
DATABASE = "CPU of all of PostgreSQL's processes a message"
STOCK_NAME = "Channels + python-ocpp on Daphne, an ORM row"


async def run(stage: Stage) -> Findings:
    """Measure Kubat on each engine and server, the echo, and the stock project with a row."""
    async with contextlib.AsyncExitStack() as stack:
        lineup = Lineup(stage, MeterValues("register"), stack)
        kubats: dict[str, Contestant] = {}
        stock = None
        for kind in stage.kinds():
            for engine in ENGINES:
                if engine == SQLITE or stage.postgres is not None:
                    kubats[f"{kind}, {engine}"] = await _charging(lineup, kind, engine)
        echo = await lineup.echo()
        await lineup.baseline("python-ocpp example on `websockets`", "example")
        if stage.postgres is not None:
            url = stack.enter_context(stage.postgres.database())
            stock = await lineup.baseline(STOCK_NAME, "stock", is_metered=True, DATABASE_URL=url)
            stock.count_rows = functools.partial(Database(url, []).count, "stock_metermessage")
        findings = await lineup.measure("MeterValues of an open session")
    findings.figures += _figures(stage, kubats, echo, stock)
    findings.costs += [
        Figure(f"PostgreSQL for: {contestant.name}", "µs", contestant.cost_us(1), DATABASE)
        for contestant in (*kubats.values(), stock)
        if contestant is not None and len(contestant.windows[0].spent_s) > 1
    ]
    return findings


async def _charging(lineup: Lineup, kind: str, engine: str) -> Contestant:
    """Bring up a Kubat, and start a session at each of its stations."""
    contestant, server, database = await lineup.kubat(kind, engine)
    contestant.count_rows = functools.partial(database.count, "sessions_app_reading")
    api = Api(server.port)
    await api.log_in()
    for number, driver_id in enumerate(database.driver_ids, 1):
        body = {
            "station_id": station_id(number),
            "user_id": driver_id,
            "limit_type": "amount",
            "limit_value": LIMIT,
        }
        await _start(api, body)
    await api.close()
    stations = contestant.fleet.stations
    await contestant.fleet.wait(lambda: all(s.transaction_id for s in stations), "all charging")
    await contestant.fleet.settle()
    return contestant


async def _start(api: Api, body: dict[str, str]) -> None:
    """Ask for a charge; a server that the machine keeps from renewing its lease is asked again."""
    for _ in range(START_TRIES):
        try:
            await api.post("/ocpp/start_charge", body)
        except ApiFailed as error:
            if "station_offline" not in str(error):
                raise
            await asyncio.sleep(1)
        else:
            return
    raise ApiFailed(f"{body['station_id']} did not stay online")


def _figures(
    stage: Stage, kubats: dict[str, Contestant], echo: Contestant, stock: Contestant | None
) -> list[Figure]:
    figures = []
    for place in (f"{kind}, {engine}" for kind in (DAPHNE, UVICORN) for engine in ENGINES):
        name = NAME.format(place=place)
        goal = ECHO if POSTGRESQL in place else None
        if place not in kubats:
            figures.append(stage.without(place, name, "× echo", goal))
            continue
        kubat = kubats[place]
        how = _how(stage, APP.format(other="the echo"))
        figures.append(Figure(name, "× echo", kubat.per(echo), how, goal))
        if len(kubat.windows[0].spent_s) > 1:
            how = _how(stage, DATABASE)
            figures.append(Figure(name, "PostgreSQL µs", kubat.cost_us(1), how, POSTGRES))
        if stock is not None and POSTGRESQL in place:
            how = _how(stage, APP.format(other="stock Daphne with an ORM row"))
            goal = STOCK if DAPHNE in place else None
            figures.append(Figure(name, "× stock", kubat.per(stock), how, goal))
    return figures


def _how(stage: Stage, what: str) -> str:
    return HOW.format(what=what, stations=stage.options.sizes.stations)
