"""SIGTERM with a crowd of stations: nobody is cut off without a word, and nothing is lost (P4)."""

import asyncio
import logging
import os
import resource
import time
from collections import Counter
from pathlib import Path

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.db import connections

from config.tests.crowd import LightStation, now
from config.tests.server import ServerProcess
from stations.models import ConnectorStatus, GatewayProcess, Station

pytestmark = pytest.mark.e2e
logger = logging.getLogger(__name__)

CROWD = int(os.environ.get("KUBAT_DRAIN_STATIONS", "300"))
AT_ONCE = 20
WITHIN_S = 60
BOOT = {"chargePointVendor": "Light", "chargePointModel": "Station"}


@pytest_asyncio.fixture(autouse=True)
async def no_connection_is_left():
    """A test's asynchronous queries run in a thread that would keep its connection."""
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
def server(transactional_db, tmp_path):
    """A server on the test's database, with a crowd of stations that need no key."""
    wanted = CROWD + 1000
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, most), most))
    Station.objects.bulk_create(
        Station(station_id=f"S-{n}", identity=f"s-{n}", security_profile=0) for n in range(CROWD)
    )
    with ServerProcess.on_test_database(tmp_path, CSMS_PROVISION="false") as running:
        yield running


async def opened(url):
    """A socket; a busy server may refuse it at first."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                return await LightStation.open(url)
            except ConnectionError:
                await asyncio.sleep(0.5)


async def booted(server):
    """The crowd, each with a socket whose Boot is answered."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def come(number):
        async with turns:
            station = await opened(server.ws_url(f"S-{number}"))
            assert (await station.call("b", "BootNotification", BOOT))[0] == 3
            return station

    return await asyncio.gather(*(come(number) for number in range(CROWD)))


def status(number):
    return {
        "connectorId": 1,
        "errorCode": "NoError",
        "status": "Available",
        "timestamp": now(),
        "info": f"s-{number}",
    }


async def test_sigterm_closes_a_crowd_in_order_and_keeps_its_word(server):
    """The calls of the whole crowd are on their way: an answer means stored, silence means kept."""
    crowd = await booted(server)
    assert await Station.objects.online().acount() == CROWD
    said = [
        station.call("s", "StatusNotification", status(number))
        for number, station in enumerate(crowd)
    ]
    began, used_s = time.monotonic(), cpu_s(server.process.pid) + cpu_s_of_the_ended()
    code = await asyncio.to_thread(server.terminate, timeout=WITHIN_S)
    took_s, used_s = time.monotonic() - began, cpu_s_of_the_ended() - used_s
    async with asyncio.timeout(WITHIN_S):
        closes = [await station.closed for station in crowd]
    assert code == 0
    assert "Traceback" not in server.log
    assert set(closes) <= {1000, 1001}, Counter(closes)
    assert await Station.objects.online().acount() == 0
    assert await GatewayProcess.objects.acount() == 0
    await asyncio.wait(said)
    answered = {f"s-{n}" for n, answer in enumerate(said) if not answer.cancelled()}
    assert all(answer.result()[0] == 3 for answer in said if not answer.cancelled())
    stored = {info async for info in ConnectorStatus.objects.values_list("info", flat=True)}
    assert answered <= stored
    figures = (CROWD, took_s, used_s, len(answered))
    logger.info("%d left in %.2f s, %.2f s of CPU, %d calls were answered", *figures)


def cpu_s(pid):
    """What a running process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_s_of_the_ended():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
