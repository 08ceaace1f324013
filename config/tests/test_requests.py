"""A request that is in flight when the server is asked to end does not keep it from ending."""

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest

from config.requests import Requests
from config.tests.server import ServerProcess

LOG_IN = {"username": "nobody@example.org", "password": "a quiet green car"}
NEW = {"email": "new@example.org", "password": "a quiet green car"}
ENDS_WITHIN_S = 15


def ask(server, path, body):
    """Ask for what takes a while: both hash a password, and registering writes."""
    try:
        return httpx.post(f"{server.base_url}/auth/{path}", json=body, timeout=60).status_code
    except httpx.TransportError:
        return None


@pytest.mark.e2e
def test_a_server_ends_while_requests_come(tmp_path):
    with ServerProcess.on_sqlite(tmp_path) as server, ThreadPoolExecutor(12) as people:
        asked = [people.submit(ask, server, "login", LOG_IN) for _ in range(12)]
        asked[0].result()
        assert server.terminate(timeout=ENDS_WITHIN_S) == 0
        assert {answer.result() for answer in asked} <= {400, 401, 429, 503, None}


@pytest.mark.e2e
def test_a_server_ends_while_its_database_hangs(tmp_path):
    with ServerProcess.on_sqlite(tmp_path) as server, ThreadPoolExecutor(1) as person:
        with closing(sqlite3.connect(tmp_path / "kubat.sqlite3")) as other:
            other.execute("BEGIN IMMEDIATE")
            asked = person.submit(ask, server, "register", NEW)
            with pytest.raises(TimeoutError):
                asked.result(1)
            assert server.terminate(timeout=ENDS_WITHIN_S) == 0
        assert asked.result() is None


class Views:
    """An application that answers when it is let."""

    def __init__(self):
        self.may = asyncio.Event()
        self.sent = []

    async def __call__(self, scope, receive, send):
        await self.may.wait()
        await send({"type": "http.response.start", "status": 200})

    async def send(self, event):
        self.sent.append(event)


async def test_what_runs_is_answered_and_what_comes_is_refused():
    views = Views()
    requests = Requests(views)
    running = asyncio.create_task(requests({}, None, views.send))
    await asyncio.sleep(0)
    finishing = asyncio.create_task(requests.finish())
    await asyncio.sleep(0)
    await requests({}, None, views.send)
    views.may.set()
    await finishing
    await running
    assert [event.get("status") for event in views.sent] == [503, None, 200]


async def test_what_takes_too_long_is_cut_off():
    views = Views()
    requests = Requests(views)
    running = asyncio.create_task(requests({}, None, views.send))
    await asyncio.sleep(0)
    await requests.finish()
    assert running.cancelled()
    assert views.sent == []
