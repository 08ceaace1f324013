"""What the gateway's tests share: a gateway in this process, and stations with sockets to it."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.db import connections

from stations.gateway.process import Gateway
from stations.tests.cast import go_online
from stations.tests.in_process import InProcessStation


@pytest_asyncio.fixture
async def gateway(transactional_db):
    """A gateway with its lease, ended with the test."""
    gateway = Gateway()
    yield gateway
    await gateway.stop()
    # the test's own asynchronous queries ran in a thread that would keep its connection
    await sync_to_async(connections.close_all)()


@pytest_asyncio.fixture
async def plug_in(gateway):
    """`await plug_in("K-1")` opens the socket of a station, and closes it after the test."""
    async with AsyncExitStack() as stations:

        async def open_socket(station_id: str = "K-1", **options: Any) -> InProcessStation:
            station = InProcessStation(gateway, f"/ws/{station_id}", **options)
            return await stations.enter_async_context(station)

        yield open_socket


@pytest.fixture
def k1(transactional_db, station):
    """The shared station, committed, so that the gateway's threads see it."""
    return station


@pytest.fixture
def olgas(client, olga):
    """The browser of olga, who is logged in to the back office."""
    client.force_login(olga)
    return client


@pytest.fixture
def online(station):
    """The shared station, with a socket."""
    go_online(station)
    return station
