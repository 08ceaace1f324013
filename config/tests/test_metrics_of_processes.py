"""Two real servers on one PostgreSQL: whoever is asked tells the same, and no counter falls."""

import asyncio
import time

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from config.tests.server import ServerProcess
from config.tests.test_two_processes import Olga, two_servers
from conftest import PASSWORD
from stations.tests.bare_station import BareStation

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.redis]

HEARTBEATS = 7
WITHIN_S = 30


async def scrape(server):
    async with httpx.AsyncClient(base_url=server.base_url, timeout=20) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def counters(values):
    return {key: value for key, value in values.items() if key[0].endswith(("_total", "_count"))}


async def see(server, is_so):
    """Wait until a scrape shows it; each process writes what it has counted every 3 s."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        values = await scrape(server)
        if is_so(values):
            return values
        assert time.monotonic() < deadline, values
        await asyncio.sleep(0.2)


def heard(values):
    return values.get(("kubat_frames_total", ("action", "Heartbeat"), ("direction", "in")), 0)


def replied(values):
    return values.get(("kubat_reply_seconds_count", ("action", "Heartbeat")), 0)


def sockets(values):
    return {dict(key[1:])["process"]: v for key, v in values.items() if key[0] == "kubat_sockets"}


async def beat(server, station_id, count):
    station = BareStation(server.ws_url(station_id))
    await station.connect()
    await station.boot()
    for _ in range(count):
        await station.call("Heartbeat", {})
    return station


@pytest.fixture
def servers(migrated_postgres_url, redis_url, tmp_path):
    with two_servers(migrated_postgres_url, redis_url, tmp_path) as both:
        yield (*both, migrated_postgres_url)


async def test_any_process_tells_the_sum_and_a_killed_one_takes_nothing_away(servers, tmp_path):
    one, other, database_url = servers
    async with Olga(one) as olga:
        await olga.add_station()
        second = {"station_id": "K-2", "security_profile": 0}
        assert (await olga.client.post("/ocpp/stations", json=second)).status_code == 201
    here, there = await asyncio.gather(
        beat(one, "K-1", HEARTBEATS), beat(other, "K-2", HEARTBEATS + 1)
    )
    both = 2 * HEARTBEATS + 1
    for server in (one, other):
        values = await see(server, lambda values: heard(values) == both)
        assert replied(values) == both
        assert sorted(sockets(values).values()) == [1, 1]
        assert values["kubat_stations_online",] == 2

    await asyncio.to_thread(one.kill)
    await there.call("Heartbeat", {})
    after = await see(other, lambda values: heard(values) == both + 1)
    assert_nothing_fell(values, after)

    with psycopg.connect(database_url, autocommit=True) as rows:
        rows.execute(
            "UPDATE stations_measuredprocess SET kept_at = kept_at - interval '1 hour'"
            " WHERE name LIKE %s",
            (f"%/{one.process.pid}",),
        )
    manager = ServerProcess(database_url=database_url, directory=tmp_path, name="worker")
    manager.manage("shell", "--command", FOLD)
    folded = await see(other, lambda values: len(sockets(values)) == 1)
    assert_nothing_fell(after, folded)
    assert heard(folded) == both + 1

    await asyncio.gather(here.close(), there.close())


FOLD = """
from django.utils import timezone
from stations import measured
assert measured.fold(timezone.now()) == 1
"""


def assert_nothing_fell(before, after):
    fell = {
        key: (value, after.get(key, 0))
        for key, value in counters(before).items()
        if after.get(key, 0) < value
    }
    assert fell == {}


async def test_a_server_that_ends_leaves_all_that_it_counted(migrated_postgres_url, tmp_path):
    """Also what it counted since it last wrote; and it shows no sockets any more."""
    settings = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "CSMS_PROVISION": "false"}
    with ServerProcess(
        database_url=migrated_postgres_url, directory=tmp_path, **settings
    ) as server:
        server.manage("createsuperuser", "--noinput", "--username=olga", "--email=o@example.org")
        async with Olga(server) as olga:
            await olga.add_station()
        station = await beat(server, "K-1", HEARTBEATS)
        assert await asyncio.to_thread(server.terminate) == 0
        await station.close()
        await asyncio.to_thread(server.start)
        values = await scrape(server)
    assert heard(values) == replied(values) == HEARTBEATS
    assert sockets(values) == {}
    causes = {
        key: it for key, it in values.items() if key[0] == "kubat_closed_sockets_total" and it
    }
    assert causes == {("kubat_closed_sockets_total", ("cause", "shutdown")): 1}
