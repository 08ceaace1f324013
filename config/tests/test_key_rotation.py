"""A key on its way to a station, and a server that dies before the answer: nobody is locked out."""

import httpx
import pytest
import pytest_asyncio
import websockets
from asgiref.sync import sync_to_async
from django.db import connections
from knox.models import AuthToken

from config.tests.server import ServerProcess
from stations import keys
from stations.models import Station
from stations.tests.bare_station import BareStation

pytestmark = pytest.mark.e2e

OLD, NEW = "0123456789abcdef", "fedcba9876543210fedcba9876543210fedcba98"


@pytest.fixture
def server(transactional_db, station, tmp_path):
    """A server on the test's database, with station K-1 and its key."""
    with ServerProcess.on_test_database(tmp_path, CSMS_PROVISION=False) as running:
        yield running


@pytest_asyncio.fixture(autouse=True)
async def no_connection_is_left():
    """A test's asynchronous queries run in a thread that would keep its connection."""
    yield
    await sync_to_async(connections.close_all)()


async def opens(server, key):
    station = BareStation(server.ws_url("K-1"), key=key)
    try:
        await station.connect()
    except websockets.InvalidStatus as refused:
        return refused.response.status_code
    await station.close()
    return 101


@pytest.mark.parametrize("taken", [OLD, NEW])
async def test_a_server_killed_before_the_answer_lets_the_station_in_again(
    server, station, olga, taken
):
    await Station.objects.filter(pk=station.pk).aupdate(
        security_profile=1, key_digest=keys.digest(OLD)
    )
    _, token = await sync_to_async(AuthToken.objects.create)(olga)
    async with BareStation(
        server.ws_url("K-1"), key=OLD, answers={"ChangeConfiguration": None}
    ) as plugged:
        await plugged.boot()
        async with httpx.AsyncClient(base_url=server.base_url) as client:
            answer = await client.post(
                "/ocpp/stations/K-1/commands",
                headers={"Authorization": f"Bearer {token}"},
                json={
                    "action": "ChangeConfiguration",
                    "payload": {"key": "AuthorizationKey", "value": NEW},
                },
            )
        assert answer.status_code == 202
        await plugged.expect_call("ChangeConfiguration")
        await sync_to_async(server.kill)()
        await plugged.wait_closed()
    await sync_to_async(server.start)()
    for key in (taken, OLD, NEW):
        assert await opens(server, key) == 101
