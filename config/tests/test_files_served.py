"""Large files over a real server: bounded, on disk and not in memory, and paced by the reader."""

import http.client
import shutil
import socket
import time

import httpx
import pytest

from config.servers import KINDS
from config.tests.server import ServerProcess
from sessions_app.tests.stage import connect
from stations import addresses, uploads
from stations.models import FirmwareUpdate, LogRequest, ReceivedFile
from stations.tests.maintenance import PUBLIC, add_image, beat, boot, plan

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
MB = 1_000_000
SIZE = 50 * MB
ROOM = 20 * MB
"""What a server may grow by while it takes or gives 50 MB: pieces and libraries, not the file."""


@pytest.fixture(scope="module", params=KINDS)
def running(request, tmp_path_factory, django_db_setup, django_db_blocker):
    """A server of each kind on the tests' database, and the directory of its files."""
    directory = tmp_path_factory.mktemp(request.param)
    settings = {
        "CSMS_SERVER": request.param,
        "CSMS_MEDIA_DIR": directory / "media",
        "CSMS_UPLOAD_MAX_MB": 60,
        "CSMS_FIRMWARE_MAX_MB": 60,
        "CSMS_EMBEDDED_WORKER": False,
    }
    with django_db_blocker.unblock():
        process = ServerProcess.on_test_database(directory, **settings)
    with process:
        yield process, directory / "media"


@pytest.fixture
def media(running):
    """Where the server keeps files: empty."""
    shutil.rmtree(running[1], ignore_errors=True)
    return running[1]


@pytest.fixture
def server(running, media, settings):
    settings.CSMS_MEDIA_DIR = str(media)
    settings.CSMS_PUBLIC_URL = PUBLIC
    settings.SECRET_KEY = "a key of the tests"
    return running[0]


@pytest.fixture
def request_(station, olga):
    return uploads.request_log(
        station=connect(station), kind=LogRequest.Kind.DIAGNOSTICS, by=olga, reason="it hangs"
    )


@pytest.fixture
def image_path(station, olga, server):
    boot(station, "1.0")
    image = add_image(olga, file=b"\x7f" * SIZE)
    plan(olga, image, connect(station))
    beat()
    return addresses.address("firmware", FirmwareUpdate.objects.get().pk, "fw")[len(PUBLIC) :]


def path_of(request, name="log.zip"):
    return addresses.address("upload", request.pk, name)[len(PUBLIC) :]


def peak(server):
    """The most memory that the server has used so far, in bytes."""
    with open(f"/proc/{server.process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024


def in_pieces(size):
    for _ in range(size // MB):
        yield b"\x42" * MB


def until(check, within_s=20):
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_large_upload_is_kept_and_never_held_in_memory(server, request_, is_chunked):
    url = server.base_url + path_of(request_)
    assert httpx.put(url, content=b"warm").status_code == 201
    before = peak(server)
    headers = {} if is_chunked else {"Content-Length": str(SIZE)}
    answer = httpx.put(url, content=in_pieces(SIZE), headers=headers, timeout=60)
    assert answer.status_code == 201
    assert ReceivedFile.objects.get(size_bytes=SIZE)
    assert peak(server) - before < ROOM


def test_a_large_form_is_kept_and_never_held_in_memory(server, request_):
    url = server.base_url + path_of(request_, "")
    assert httpx.post(url, files={"f": ("a.log", b"warm")}).status_code == 201
    before = peak(server)
    answer = httpx.post(url, files={"f": ("b.log", b"\x42" * SIZE)}, timeout=60)
    assert answer.status_code == 201
    assert ReceivedFile.objects.get(size_bytes=SIZE).name == "b.log"
    assert peak(server) - before < ROOM


@pytest.mark.parametrize("is_chunked", [False, True])
def test_what_is_larger_than_anything_allowed_is_cut_off(server, request_, is_chunked):
    """Before it has come whole: a stranger must not fill the disk with what is refused later."""
    head = f"PUT {path_of(request_)} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    head += (
        "Transfer-Encoding: chunked\r\n\r\n" if is_chunked else f"Content-Length: {10**12}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as station:
        station.sendall(head.encode())
        try:
            for piece in in_pieces(70 * MB) if is_chunked else ():
                station.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        except OSError:
            pass
        assert station.recv(100).startswith(b"HTTP/1.1 413")
    assert not ReceivedFile.objects.exists()


def test_an_upload_that_breaks_off_leaves_nothing(server, request_, media):
    head = f"PUT {path_of(request_)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {MB}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as station:
        station.sendall(head.encode() + b"x" * 1000)
    answer = httpx.put(server.base_url + path_of(request_), content=b"whole")
    assert answer.status_code == 201
    assert [file.size_bytes for file in ReceivedFile.objects.all()] == [5]
    assert len([path for path in media.rglob("*") if path.is_file()]) == 1


def test_a_large_download_is_given_as_fast_as_it_is_read(server, image_path):
    assert (
        httpx.get(server.base_url + image_path, headers={"Range": "bytes=0-9"}).status_code == 206
    )
    before = peak(server)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as station:
        station.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        station.sendall(f"GET {image_path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert station.recv(12) == b"HTTP/1.1 200"
        time.sleep(2)  # a reader that does not read: nothing else shows that we wait for it
        assert peak(server) - before < ROOM
        got = 12
        while got < SIZE:
            got += len(station.recv(MB))
    assert peak(server) - before < ROOM


def test_a_reader_that_leaves_harms_nobody(server, image_path):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as station:
        station.sendall(f"GET {image_path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert station.recv(12) == b"HTTP/1.1 200"
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    link.request("HEAD", image_path)
    answer = link.getresponse()
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(SIZE))
    assert answer.read() == b""
    link.close()
    assert "Traceback" not in server.log
