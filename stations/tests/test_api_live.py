"""The API of stations against a real server and a real socket."""

import asyncio
import base64
from urllib.parse import quote

import httpx
import pytest
import websockets

from config.tests.server import ServerProcess
from stations.tests.bare_station import BareStation

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery staple"
IDENTITY = "Станция 50%"
ADDRESS = quote(IDENTITY)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("live")
    settings = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "CSMS_PROVISION": "false"}
    with ServerProcess.on_sqlite(directory, **settings) as running:
        running.manage("createsuperuser", "--noinput", "--username=olga", "--email=o@x.org")
        yield running


@pytest.fixture
async def staff(server):
    async with httpx.AsyncClient(base_url=server.base_url, timeout=30) as client:
        answer = await client.post("/auth/login", json={"username": "olga", "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        yield client


@pytest.fixture
async def key(staff):
    """Registers the station for one test, and tells its key."""
    answer = await staff.post("/ocpp/stations", json={"station_id": IDENTITY})
    assert answer.status_code == 201, answer.text
    yield answer.json()["key"]
    await staff.delete(f"/ocpp/stations/{ADDRESS}")


def socket_of(server, key, **more):
    token = base64.b64encode(f"{IDENTITY}:{key}".encode()).decode()
    headers = {"Authorization": f"Basic {token}"}
    return BareStation(server.ws_url(ADDRESS), headers=headers, **more)


async def poll(staff, path, is_done, *, within=10):
    """Ask again until the answer is as wanted, as a client does."""
    async with asyncio.timeout(within):
        while True:
            body = (await staff.get(path)).json()
            if is_done(body):
                return body
            await asyncio.sleep(0.05)


async def follow(staff, command_id):
    """Return a command once it has ended."""
    open_states = {"queued", "sent"}
    path = f"/ocpp/commands/{command_id}"
    return await poll(staff, path, lambda body: body["status"] not in open_states)


async def test_a_station_is_online_while_its_socket_is_open(server, staff, key):
    async with socket_of(server, key) as station:
        await station.boot()
        body = (await staff.get(f"/ocpp/stations/{ADDRESS}")).json()
        assert (body["online"], body["vendor"], body["subprotocol"]) == (True, "Bare", "ocpp1.6")
        found = (await staff.get("/ocpp/stations", params={"online": "true"})).json()
        assert [row["station_id"] for row in found["results"]] == [IDENTITY]


async def test_a_command_reaches_the_socket_and_its_answer_the_caller(server, staff, key):
    path = f"/ocpp/stations/{ADDRESS}/commands"
    answers = {"Reset": {"status": "Accepted"}, "ClearCache": ["InternalError", "No cache."]}
    async with socket_of(server, key, answers=answers) as station:
        await station.boot()
        asked = await staff.post(path, json={"action": "Reset", "payload": {"type": "Soft"}})
        assert asked.status_code == 202
        assert await station.expect_call("Reset") == {"type": "Soft"}
        done = await follow(staff, asked.json()["id"])
        assert (done["status"], done["response"]) == ("answered", {"status": "Accepted"})
        asked = await staff.post(path, json={"action": "ClearCache"})
        done = await follow(staff, asked.json()["id"])
        assert done["status"] == "failed"
        assert done["error"] == {"code": "InternalError", "description": "No cache."}
    await poll(staff, f"/ocpp/stations/{ADDRESS}", lambda body: not body["online"])
    asked = await staff.post(path, json={"action": "ClearCache"})
    assert (asked.status_code, asked.json()["code"]) == (409, "station_offline")


async def test_a_new_key_counts_from_the_next_handshake(server, staff, key):
    async with socket_of(server, key) as station:
        await station.boot()
        changed = await staff.patch(f"/ocpp/stations/{ADDRESS}", json={"key": "a new key"})
        assert changed.status_code == 200
        await station.call("Heartbeat", {})
    with pytest.raises(websockets.InvalidStatus) as refusal:
        await socket_of(server, key).connect()
    assert refusal.value.response.status_code == 401
    async with socket_of(server, "a new key") as station:
        await station.boot()


async def test_a_removed_station_loses_its_socket(server, staff, key):
    async with socket_of(server, key) as station:
        await station.boot()
        assert (await staff.delete(f"/ocpp/stations/{ADDRESS}")).status_code == 204
        assert await station.wait_closed() == 4001
    with pytest.raises(websockets.InvalidStatus) as refusal:
        await socket_of(server, key).connect()
    assert refusal.value.response.status_code == 404
