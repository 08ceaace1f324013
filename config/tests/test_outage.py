"""PostgreSQL away for longer than a message waits: stopped, and standing still (P6).

`KUBAT_OUTAGE_S` says for how long (25), `KUBAT_OUTAGE_STATIONS` with how many stations (40).
"""

import asyncio
import logging
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from config.tests.cluster import Postgres, find_postgres
from config.tests.crowd import Keeper, LightStation
from config.tests.server import ServerProcess
from config.tests.street import SETTINGS, Charge, Street
from conftest import IS_CI

pytestmark = [pytest.mark.e2e, pytest.mark.postgres]
logger = logging.getLogger(__name__)

OUTAGE_S = float(os.environ.get("KUBAT_OUTAGE_S", "25"))
COUNT = int(os.environ.get("KUBAT_OUTAGE_STATIONS", "40"))
SILENT = 10
"""Stations that only send heartbeats."""
DATABASE_WAIT_S = 20
GROWTH_KIB = 100 * 1024
DATABASE_AWAY = 4013


@pytest.fixture
def cluster():
    if find_postgres() is None:
        (pytest.fail if IS_CI else pytest.skip)("there are no programs of PostgreSQL")
    with Postgres() as running:
        yield running


@pytest.fixture
def server(cluster, tmp_path):
    settings = SETTINGS | {"CSMS_DATABASE_WAIT_S": DATABASE_WAIT_S}
    process = ServerProcess(database_url=cluster.url, directory=tmp_path, **settings)
    process.manage("migrate", "-v0")
    with process:
        yield process


class Heart:
    """A station that sends a heartbeat each second over one socket, and notes what it got."""

    def __init__(self, station):
        self.station = station
        self.answers = Counter()
        self.longest_s = 0.0
        self.task = asyncio.create_task(self._beat())

    async def _beat(self):
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            number = sum(self.answers.values())
            answer = await self.station.call(f"h{number}", "Heartbeat", {})
            self.answers[answer[0]] += 1
            self.longest_s = max(self.longest_s, loop.time() - began)
            await asyncio.sleep(1)


class Memory:
    """The most resident memory that a process had while this watched, in KiB."""

    def __init__(self, pid):
        self.path = Path(f"/proc/{pid}/status")
        self.most = 0
        self.task = asyncio.create_task(self._watch())

    def now(self):
        return int(re.search(r"VmRSS:\s+(\d+)", self.path.read_text())[1])

    async def _watch(self):
        while True:
            self.most = max(self.most, self.now())
            await asyncio.sleep(0.5)


@pytest.mark.parametrize("way", ["stopped", "frozen"])
async def test_a_database_that_is_away_for_long_costs_patience_only(cluster, server, way):
    """Hearts are answered; what must be stored waits, then its socket closes; then it is 503."""
    street = await asyncio.to_thread(Street, server, COUNT + SILENT)
    keepers = [Keeper(server.ws_url(f"S-{number}")) for number in range(COUNT)]
    charges = [Charge(keeper) for keeper in keepers]
    await asyncio.gather(*(charge.boot() for charge in charges))
    await asyncio.gather(*(charge.begin() for charge in charges))
    silent = [
        await LightStation.open(server.ws_url(f"S-{number}"))
        for number in range(COUNT, COUNT + SILENT)
    ]
    hearts = [Heart(station) for station in silent]
    await asyncio.sleep(3)
    memory = Memory(server.process.pid)
    before = memory.now()

    if way == "stopped":
        await asyncio.to_thread(cluster.stop)
    else:
        cluster.freeze()
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(OUTAGE_S)
    stored = sum(charge.readings for charge in charges)
    assert not any(keeper.errors for keeper in keepers)
    assert all(not heart.task.done() for heart in hearts)
    if way == "stopped":
        await asyncio.to_thread(cluster.start)
    else:
        cluster.thaw()
    away_s = asyncio.get_running_loop().time() - began

    await asyncio.gather(*(charge.end() for charge in charges))
    back_s = asyncio.get_running_loop().time() - began - away_s
    for heart in hearts:
        heart.task.cancel()
    memory.task.cancel()
    for keeper in keepers:
        await keeper.stop()

    closes = Counter(code for keeper in keepers for code in keeper.closes)
    refusals = Counter(status for keeper in keepers for status in keeper.refusals)
    longest_s = max(heart.longest_s for heart in hearts)
    logger.info(
        "%s for %.0f s: closes %s, refusals %s, heartbeat within %.2f s, memory %d to %d KiB, "
        "all stored %.1f s later, %d readings",
        *(way, away_s, dict(closes), dict(refusals), longest_s, before, memory.most),
        *(back_s, sum(charge.readings for charge in charges)),
    )
    assert all(set(heart.answers) == {3} for heart in hearts)
    assert all(not station.closed.done() for station in silent)
    assert set(closes) <= {DATABASE_AWAY}
    assert set(refusals) <= {503}
    if OUTAGE_S > DATABASE_WAIT_S:
        assert closes
    assert memory.most - before < GROWTH_KIB
    assert sum(charge.readings for charge in charges) > stored
    await asyncio.to_thread(street.see_all_settled, charges)
    assert "Traceback" not in server.log
    await end_without_a_database(cluster, server, silent)


async def end_without_a_database(cluster, server, silent):
    """SIGTERM while it stands still: every socket is closed in order, and no thread holds on."""
    cluster.freeze()
    assert await asyncio.to_thread(server.terminate) == 0
    assert {await station.closed for station in silent} <= {1000, 1001}
