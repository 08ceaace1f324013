"""The server process on real sockets: statuses, bounds, signals, kill -9, and a lost database."""

import asyncio
import datetime as dt
import json
import subprocess
import sys

import httpx
import pytest
import pytest_asyncio
import websockets
from asgiref.sync import sync_to_async
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connections

from config.servers import KINDS
from config.tests.cable import Cable
from config.tests.server import ROOT, ServerProcess, url_of_test_database
from conftest import PASSWORD
from sessions_app.models import ChargingSession, Reading
from stations.models import Station
from stations.tests.bare_station import BareStation

pytestmark = pytest.mark.e2e

KEY = "0123456789abcdef"


@pytest.fixture
def server(request, transactional_db, station, tmp_path):
    """A server on the test's database, with station K-1; its kind may be the parameter."""
    more = {"CSMS_SERVER": request.param} if hasattr(request, "param") else {}
    with ServerProcess.on_test_database(tmp_path, **more) as running:
        yield running


@pytest_asyncio.fixture(autouse=True)
async def no_connection_is_left():
    """A test's asynchronous queries run in a thread that would keep its connection."""
    yield
    await sync_to_async(connections.close_all)()


async def refusal(url, **options):
    with pytest.raises(websockets.InvalidStatus) as refused:
        await BareStation(url, **options).connect()
    return refused.value.response


def iso(at):
    return at.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("end", ["terminate", "interrupt"])
@pytest.mark.parametrize("server", KINDS, indirect=True)
async def test_a_signal_closes_every_socket_and_ends_in_order(server, station, end):
    await Station.objects.abulk_create(
        Station(station_id=f"S-{n}", identity=f"s-{n}", security_profile=0) for n in range(20)
    )
    open_ones = [BareStation(server.ws_url(f"S-{n}")) for n in range(20)]
    await asyncio.gather(*(one.connect() for one in open_ones))
    await asyncio.gather(*(one.boot() for one in open_ones))
    assert await Station.objects.online().acount() == 20
    code = await asyncio.to_thread(getattr(server, end))
    assert code == 0
    assert "Traceback" not in server.log
    assert {await one.wait_closed() for one in open_ones} == {1000}
    assert await Station.objects.online().acount() == 0


def test_a_second_serve_on_one_sqlite_file_refuses_in_one_line(tmp_path):
    with ServerProcess.on_sqlite(tmp_path) as first:
        second = subprocess.run(
            [sys.executable, "manage.py", "serve", "--port=0"],
            cwd=ROOT,
            env=first.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert second.returncode == 1
        path = tmp_path / "kubat.sqlite3"
        assert second.stderr == f"CommandError: Another serve is running on {path}.\n"
        assert httpx.get(f"{first.base_url}/healthz").status_code == 200


def test_a_port_that_is_taken_is_a_failure(tmp_path):
    for kind in KINDS:
        (tmp_path / kind).mkdir()
    with ServerProcess.on_sqlite(tmp_path) as first:
        others = [
            ServerProcess.on_sqlite(tmp_path / kind, CSMS_SERVER=kind, CSMS_EMBEDDED_WORKER=False)
            for kind in KINDS
        ]
        for other in others:
            other.port = first.port
            other.start(wait=False)
        for other in others:
            assert other.process.wait(60) == 1
            assert f"Cannot listen on 127.0.0.1:{first.port}." in other.log


@pytest.fixture
def client_of_alice(alice):
    """Alice with a password in the server's own hash; the tests' quick one is not the server's."""
    alice.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt")
    alice.save()


async def begin_charge(server, amount):
    """Ask for a charge as alice's app does; return the session's id."""
    async with httpx.AsyncClient(base_url=server.base_url, timeout=20) as client:
        login = {"username": "alice@example.org", "password": PASSWORD}
        token = (await client.post("/auth/login", json=login)).json()["token"]
        order = {"station_id": "K-1", "limit_type": "amount", "limit_value": amount}
        headers = {"Authorization": f"Bearer {token}"}
        answer = await client.post("/ocpp/start_charge", json=order, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]


async def test_kill_9_in_mid_charge_costs_nothing(server, station, client_of_alice):
    """It returns without Boot, resends its start, says Available, then its queue, a stop twice."""
    begun = dt.datetime.now(dt.UTC)
    open_one = BareStation(server.ws_url("K-1"))
    await open_one.connect()
    await open_one.boot()
    session_id = await begin_charge(server, "500.00")
    asked = await open_one.expect_call("RemoteStartTransaction")
    start = {
        "connectorId": 1,
        "idTag": asked["idTag"],
        "meterStart": 1000,
        "timestamp": iso(begun),
    }
    started = await open_one.call("StartTransaction", start, message_id="1")
    transaction_id = started["transactionId"]

    def values(number):
        at = iso(begun + dt.timedelta(seconds=number))
        sampled = [{"timestamp": at, "sampledValue": [{"value": str(1000 + 900 * number)}]}]
        return {"connectorId": 1, "transactionId": transaction_id, "meterValue": sampled}

    for number in range(1, 6):
        await open_one.call("MeterValues", values(number))
    await asyncio.to_thread(server.restart)

    open_one = BareStation(server.ws_url("K-1"))
    await open_one.connect()
    again = await open_one.call("StartTransaction", start, message_id="1")
    assert again == started
    status = {"connectorId": 1, "status": "Available", "errorCode": "NoError"}
    await open_one.call("StatusNotification", status)
    for number in range(4, 9):
        await open_one.call("MeterValues", values(number))
    stop = {
        "transactionId": transaction_id,
        "meterStop": 8200,
        "timestamp": iso(begun + dt.timedelta(seconds=9)),
    }
    await open_one.send_frame([2, "s1", "StopTransaction", {**stop, "reason": "Local"}])
    await open_one.send_frame([2, "s2", "StopTransaction", stop])
    await open_one.call("DataTransfer", {"vendorId": "last"})
    await open_one.close()

    session = await ChargingSession.objects.aget(pk=session_id)
    assert (session.status, session.energy_wh, session.cost_minor) == ("completed", 7200, 9000)
    assert await ChargingSession.objects.acount() == 1
    assert await Reading.objects.filter(session=session).acount() == 10
    await asyncio.to_thread(server.manage, "reconcile")


@pytest.mark.on_postgres
async def test_a_database_that_is_away_costs_no_message(transactional_db, station, tmp_path):
    """Heartbeats are answered, the others wait, and then the socket closes; never a CALLERROR."""
    url = url_of_test_database()
    async with Cable.to_postgres(url) as cable:
        settings = {"CSMS_DATABASE_WAIT_S": 4}
        server = ServerProcess(database_url=cable.reroute(url), directory=tmp_path, **settings)
        await asyncio.to_thread(server.start)
        try:
            await play_outage(server, cable)
        finally:
            await asyncio.to_thread(server.kill)


async def reconnected(server, within_s=20):
    """K-1 when its socket opens again; a station tries until it does."""
    async with asyncio.timeout(within_s):
        while True:
            open_one = BareStation(server.ws_url("K-1"))
            try:
                await open_one.connect()
            except websockets.InvalidStatus:
                await asyncio.sleep(0.5)
            else:
                return open_one


async def play_outage(server, cable):
    start = {
        "connectorId": 1,
        "idTag": "nobody",
        "meterStart": 1,
        "timestamp": "2026-11-24T06:00:00Z",
    }
    async with BareStation(server.ws_url("K-1")) as open_one:
        await open_one.boot()
        await cable.cut()
        waiting = asyncio.create_task(open_one.ask("StartTransaction", start, message_id="w"))
        await asyncio.sleep(0.5)
        assert set(await open_one.call("Heartbeat", {}, within=1)) == {"currentTime"}
        assert not waiting.done()
        await cable.mend()
        assert (await waiting)[:2] == [3, "w"]

        await cable.cut()
        await open_one.send_text(json.dumps([2, "x", "StartTransaction", start]))
        assert set(await open_one.call("Heartbeat", {}, within=1)) == {"currentTime"}
        assert await open_one.wait_closed(within=15) == 4013
        assert not any(frame[1] == "x" for frame in open_one.frames)
        assert (await refusal(server.ws_url("K-1"))).status_code == 503
        await cable.mend()
    open_one = await reconnected(server)
    assert (await open_one.ask("StartTransaction", start, message_id="x"))[:2] == [3, "x"]
    await open_one.close()
    assert await ChargingSession.objects.acount() == 1


async def test_replies_to_a_socket_that_is_gone_disturb_no_one(server):
    """A station that sends and drops: what it sent is handled, and nothing is a traceback."""
    for _ in range(5):
        gone = BareStation(server.ws_url("K-1"))
        await gone.connect()
        for number in range(30):
            await gone.send_frame([2, f"{number}", "Authorize", {"idTag": "x"}])
        await gone.socket.close()
        await gone.close()
    async with BareStation(server.ws_url("K-1")) as station:
        assert (await station.boot())["status"] == "Accepted"
    assert await asyncio.to_thread(server.terminate) == 0
    assert "Traceback" not in server.log
