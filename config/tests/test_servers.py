"""What is asked of a server, of either kind: limits, back-pressure, closes, statuses (P5, P7).

`CSMS_SERVER=uvicorn pytest` runs all other tests with servers of that kind.
"""

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import pytest_asyncio
import websockets
from websockets.asyncio.client import connect

from config.servers import KINDS, daphne, frames, limits, uvicorn
from config.tests.server import ROOT, START_TIMEOUT_S, ServerProcess, free_port
from stations.tests.conformance.conftest import SETTINGS, opened
from stations.tests.conformance.kit import Central

pytestmark = pytest.mark.e2e

MB = 1_000_000
ROOM = 20 * MB
"""What a server may grow by while 150 MB wait to be taken."""
FLOOD = 150_000
HEARTBEAT = '[2,"1","Heartbeat",{}]'
PROMPT_S = 5


# --- The product ------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=KINDS)
def running(request, tmp_path_factory):
    """Kubat on a server of each kind, with its operator's token."""
    directory = tmp_path_factory.mktemp(request.param)
    settings = {**SETTINGS, "CSMS_UNKNOWN_STATIONS": "refuse", "CSMS_SERVER": request.param}
    with ServerProcess.on_sqlite(directory, **settings) as server:
        server.manage("createsuperuser", "--noinput", "--username=olga", "--email=o@example.org")
        yield server, opened(server)


@pytest_asyncio.fixture
async def central(running):
    async with Central(*running) as central:
        yield central


@pytest_asyncio.fixture
async def station_id(central):
    return await central.declare()


@pytest_asyncio.fixture
async def point(central, station_id):
    async with central.point(station_id) as point:
        yield point


def peak(pid):
    """The most memory that a process has used since it was last asked to forget that, in bytes."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024


def raw_handshake(path, *lines):
    head = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *lines,
    ]
    return "\r\n".join([*head, "", ""]).encode("latin1")


def masked(data, *, head=0x81):
    """A client's frame, masked with zeros."""
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + struct.pack("!H", size)
    else:
        length = b"\xff" + struct.pack("!Q", size)
    return bytes([head]) + length + bytes(4) + data


async def answer_to(server, path, *lines):
    """Status and head of the answer to a handshake that no client library has tidied up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(raw_handshake(path, *lines))
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode("latin1")
    writer.transport.abort()
    return int(head.split()[1]), head.lower()


async def test_a_refused_handshake_says_why(central, station_id):
    refused = [
        (central.point(station_id, key="wrong"), 401),
        (central.point(station_id, key=None), 401),
        (central.point("nobody"), 404),
        (central.point(station_id, subprotocols=("ocpp1.5",)), 400),
        (central.point(station_id, subprotocols=()), 400),
    ]
    for station, status in refused:
        with pytest.raises(websockets.InvalidStatus) as told:
            await station.connect()
        assert told.value.response.status_code == status
        challenge = told.value.response.headers.get("WWW-Authenticate")
        assert challenge == ('Basic realm="ocpp", charset="UTF-8"' if status == 401 else None)
        assert told.value.response.body == b""


async def test_a_lenient_station_may_name_no_subprotocol(central, running):
    station_id = await central.declare(security_profile=0, key=None)
    with contextlib.closing(sqlite3.connect(running[0].log_path.parent / "kubat.sqlite3")) as rows:
        rows.execute(
            "UPDATE stations_station SET is_lenient = 1 WHERE station_id = ?", (station_id,)
        )
        rows.commit()
    async with central.point(station_id, key=None, subprotocols=()) as open_one:
        assert open_one.socket.subprotocol is None
        assert (await open_one.boot())["status"] == "Accepted"


async def test_addresses_are_read_as_they_were_written(central, running):
    """Libraries cut at semicolons, decode twice, or fall over what is no ASCII."""
    number = central.new_identity()
    for identity in (f"{number};b", f"{number} c", f"{number}%41"):
        await central.declare(station_id=identity, security_profile=0, key=None)
    subprotocol = "Sec-WebSocket-Protocol: ocpp1.6, ocpp2.0.1"
    for path, status in {
        f"/ws/{number};b": 101,
        f"/ws/{number}%3Bb/": 101,
        f"/ws/{number.lower()};b?x=1": 101,
        f"http://127.0.0.1/ws/{number}%20c": 101,
        f"/ws/{number}%2541": 101,
        f"/ws/{number}": 404,
        f"/ws/{number}A": 404,
        "/other": 404,
        "/ws/%FF": 404,
        "/ws/\xe9": 400,
    }.items():
        got, head = await answer_to(running[0], path, subprotocol)
        assert got == status, path
        assert ("sec-websocket-protocol: ocpp1.6\r\n" in head) == (status == 101)
    assert (await answer_to(running[0], f"/ws/{number};b"))[0] == 400  # no subprotocol


async def test_a_header_that_only_looks_like_the_proxys_is_none(central, running):
    """`X_Forwarded_Proto` would be `X-Forwarded-Proto` to whoever writes both as HTTP_…"""
    station_id = await central.declare(security_profile=2)
    with pytest.raises(websockets.InvalidStatus):
        await central.point(station_id, headers={"X_Forwarded_Proto": "https"}).connect()
    async with central.point(station_id, headers={"X-Forwarded-Proto": "https"}) as open_one:
        assert (await open_one.boot())["status"] == "Accepted"


async def test_only_frames_out_of_bounds_close_a_socket(central, station_id):
    """Each with its code in a close frame, though bytes of it are still on their way."""
    async with central.point(station_id) as station:
        data = "x" * (1900 * 1024)
        reply = await station.ask("DataTransfer", {"vendorId": "v", "data": data}, within=30)
        assert reply[0] == 3
        await station.send_text("x" * (limits.MAX_FRAME_BYTES + 1))
        assert await station.wait_closed() == 1009
    async with central.point(station_id) as station:
        with contextlib.suppress(websockets.ConnectionClosed):
            await station.socket.send(["x" * 1_000_000] * 3)
        assert await station.wait_closed() == 1009
    async with central.point(station_id) as station:
        await station.socket.send(b"\xff\xfe", text=True)
        assert await station.wait_closed() == 1007
    async with central.point(station_id) as station:
        await station.socket.send([b"\xd0", b"\x9a\xff"], text=True)
        assert await station.wait_closed() == 1007
    async with central.point(station_id) as station:
        station.socket.transport.write(frames.of_text(HEARTBEAT))  # not masked
        assert await station.wait_closed() == 1002
    async with central.point(station_id) as station:
        assert (await station.boot())["status"] == "Accepted"


async def test_what_is_no_text_is_answered_or_ignored(point):
    await point.socket.send(HEARTBEAT.encode())
    await (await point.socket.ping(b"there?"))
    await point.socket.send(["[2,", '"split"', ',"Heartbeat",{}]'])
    reply = await point.exchange(HEARTBEAT, "1")
    assert reply[:2] == [3, "1"]
    assert [frame[1] for frame in point.frames] == ["split", "1"]


async def test_frames_in_any_pieces_of_tcp(point):
    """Byte by byte, many at once, and a ping between."""
    texts = [f'[2,"{n}","Heartbeat",{{}}]{" " * n * 50}'.encode() for n in range(12)]
    stream = b"".join(masked(text) + masked(b"?", head=0x89) for text in texts)
    for at in range(0, len(stream), 7):
        point.socket.transport.write(stream[at : at + 7])
        await asyncio.sleep(0)
    point.socket.transport.write(stream)
    await point.call("Heartbeat", {}, message_id="last")
    assert [frame[1] for frame in point.frames] == [
        *map(str, range(12)),
        *map(str, range(12)),
        "last",
    ]


async def test_what_came_before_a_broken_frame_counts(central, station_id):
    status = {"connectorId": 1, "status": "Charging", "errorCode": "NoError"}
    good = masked(json.dumps([2, "1", "StatusNotification", status]).encode())
    async with central.point(station_id) as station:
        station.socket.transport.write(good + masked(b"\xff\xfe") + good)
        assert await station.wait_closed() == 1007
        async with asyncio.timeout(PROMPT_S):
            while await central.connector(station_id) != "Charging":  # noqa: ASYNC110 - no bell
                await asyncio.sleep(0.05)


def send_until_blocked(link, frame, number):
    """Send copies of a frame until the other side takes no more; return how many were begun."""
    link.settimeout(2)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < number:
            link.sendall(frame * 100)
            sent += 100
    return sent


def open_raw(server, path, *lines, receive_bytes=None):
    link = socket.socket()
    if receive_bytes:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    link.connect(("127.0.0.1", server.port))
    link.settimeout(10)
    link.sendall(raw_handshake(path, *lines))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += link.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    return link


async def test_a_station_that_does_not_read_holds_up_only_itself(central, running):
    """Its answers wait in its own buffers; then it is not read; a new socket takes its place."""
    server = running[0]
    station_id = await central.declare(security_profile=0, key=None)
    link = await asyncio.to_thread(
        open_raw,
        server,
        f"/ws/{station_id}",
        "Sec-WebSocket-Protocol: ocpp1.6",
        receive_bytes=4096,
    )
    with link:
        before = peak(server.process.pid)
        long_answered = HEARTBEAT.replace('"1"', '"' + "\\u0001" * 36 + '"')
        frame = masked(long_answered.encode() + b" " * 1000)
        flood = asyncio.create_task(asyncio.to_thread(send_until_blocked, link, frame, FLOOD))
        other = await central.declare()
        async with central.point(other) as neighbour:
            await neighbour.boot()
            assert await flood < FLOOD - 1000
            assert set(await neighbour.call("Heartbeat", {}, within=PROMPT_S)) == {"currentTime"}
        assert peak(server.process.pid) - before < ROOM
        async with central.point(station_id, key=None) as again:
            assert (await again.boot())["status"] == "Accepted"
            assert (await central.station(station_id))["online"]


async def test_more_connections_at_once_than_a_process_can_accept_are_not_refused(running):
    """A whole network comes back while the process is busy: all of it waits in the backlog."""
    process = running[0].process
    number = min(900, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    process.send_signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(20):
            links = [
                (await asyncio.open_connection("127.0.0.1", running[0].port))[1]
                for _ in range(number)
            ]
    finally:
        process.send_signal(signal.SIGCONT)
    for link in links:
        link.transport.abort()
    async with httpx.AsyncClient(base_url=running[0].base_url, timeout=30) as client:
        assert (await client.get("/healthz")).status_code == 200


def test_the_log_has_no_traceback(running):
    """Whatever stations did above is no error of ours."""
    assert "Traceback" not in running[0].log


# --- The server alone, with an application that does not read -----------------------------------


class BareServer:
    """`config.tests.bare_server` in a process of its own."""

    def __init__(self, kind, directory):
        self.port = free_port()
        self.log = (directory / "log").open("wb")
        command = [sys.executable, "-m", "config.tests.bare_server", kind, str(self.port), "quick"]
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=self.log, stderr=self.log
        )

    def wait_ready(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"http://127.0.0.1:{self.port}/", timeout=5)
            time.sleep(0.1)
        raise AssertionError("The server did not start.")

    def end(self):
        self.process.terminate()
        assert self.process.wait(20) == 0
        self.log.close()


@pytest.fixture(scope="module", params=KINDS)
def bare(request, tmp_path_factory):
    server = BareServer(request.param, tmp_path_factory.mktemp("bare"))
    server.wait_ready()
    yield server
    server.end()


def until_still(counter):
    """Wait until a count stands still for a while; return it."""
    seen = -1
    while counter[0] != seen:
        seen = counter[0]
        time.sleep(0.5)
    return seen


def test_frames_that_nobody_takes_stay_with_their_sender(bare):
    """Reading on, Daphne held 150,000 frames of 1 kB while a handler was blocked."""
    frame, sent = masked(b"x" * 1024), [0]
    before = peak(bare.process.pid)
    with open_raw(bare, "/ws/x") as link, ThreadPoolExecutor() as pool:
        link.settimeout(60)

        def send_all():
            for sent[0] in range(FLOOD):
                link.sendall(frame)
            link.sendall(masked(b"count"))

        sending = pool.submit(send_all)
        assert until_still(sent) < FLOOD - 1000
        assert not sending.done()
        assert peak(bare.process.pid) - before < ROOM
        httpx.get(f"http://127.0.0.1:{bare.port}/go")
        sending.result(60)
        told = b""
        while b" " not in told:
            told += link.recv(100)  # pings lie between
        assert told.endswith(f"{FLOOD} {FLOOD * 1024}".encode())
    assert peak(bare.process.pid) - before < ROOM


def is_cut(link):
    """Read until the other side is gone; return whether that came, and not only our patience."""
    link.settimeout(20)
    try:
        while link.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        pass
    return True


async def test_silence_is_noticed_and_is_not_taken_for_death(bare):
    """Half-open links go: without a request, with half of one, or with a socket over them."""
    async with connect(f"ws://127.0.0.1:{bare.port}/echo", ping_interval=None) as alive:
        silent, half = (socket.create_connection(("127.0.0.1", bare.port)) for _ in range(2))
        half.sendall(raw_handshake("/echo")[:40])
        dead = open_raw(bare, "/echo")
        with silent, half, dead:
            ended = await asyncio.gather(
                *(asyncio.to_thread(is_cut, link) for link in (silent, half, dead))
            )
        assert ended == [True, True, True]
        await alive.send("still here")
        assert await alive.recv() == "still here"


def test_a_head_without_end_is_refused(bare):
    with socket.create_connection(("127.0.0.1", bare.port), timeout=20) as link:
        link.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        with contextlib.suppress(OSError):
            for _ in range(1000):
                link.sendall(b"X-Long: " + b"x" * 10_000 + b"\r\n")
        assert is_cut(link)


def test_addresses_of_both_families_are_listened_on():
    assert endpoint_of("::1") == "tcp:port=0:interface=\\:\\:1:backlog=4096"
    with uvicorn.listen("::", 0) as both:
        port = both.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port)).close()


def endpoint_of(host):
    async def nothing():
        pass

    return daphne.KubatServer(None, host=host, port=0, drain=nothing).endpoints[0]
