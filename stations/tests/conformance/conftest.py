"""One server for all cases; a new station for each."""

import httpx
import pytest
import pytest_asyncio

from config.tests.server import ServerProcess
from conftest import PASSWORD

from .kit import (
    BLOCKED_TAG,
    EXPIRED_TAG,
    FREE_TAG,
    GROUP_TAG,
    MASTER_GROUP,
    MASTER_TAG,
    Central,
)

SETTINGS = {
    "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    "CSMS_PROVISION": "false",  # the set-up has tests of its own
    "CSMS_CALL_TIMEOUT_S": "3",
    "CSMS_UNKNOWN_STATIONS": "pending",
    "CSMS_CLIENT_CERTIFICATES": "issued",
    "CSMS_TRUSTED_PROXIES": "127.0.0.1/32",  # the cases speak as the proxy that ends TLS
}


def pytest_collection_modifyitems(items):
    for item in items:
        if "conformance" in item.nodeid:
            item.add_marker(pytest.mark.e2e)


TAGS = (
    {"id_tag": FREE_TAG},
    {"id_tag": BLOCKED_TAG, "status": "Blocked"},
    {"id_tag": EXPIRED_TAG, "expires_at": "2020-01-01T00:00:00Z"},
    {"id_tag": MASTER_TAG, "parent_id_tag": MASTER_GROUP},
    {"id_tag": GROUP_TAG, "parent_id_tag": MASTER_GROUP},
)


@pytest.fixture(scope="package")
def running(tmp_path_factory):
    """A server, and the token of its operator."""
    with ServerProcess.on_sqlite(tmp_path_factory.mktemp("conformance"), **SETTINGS) as server:
        server.manage("createsuperuser", "--noinput", "--username=olga", "--email=o@example.org")
        yield server, opened(server)


def opened(server):
    """Set a price, add the cards of the cases, and return the operator's token."""
    with httpx.Client(base_url=server.base_url, trust_env=False, timeout=30) as olga:
        login = {"username": "olga", "password": PASSWORD}
        token = olga.post("/auth/login", json=login).json()["token"]
        olga.headers["Authorization"] = f"Bearer {token}"
        tariff = {"price_per_kwh": "12.50", "currency": "KGS"}
        assert olga.post("/ocpp/tariffs", json=tariff).status_code == 201
        for tag in TAGS:
            assert olga.post("/ocpp/id_tags", json=tag).status_code == 201
        return token


@pytest_asyncio.fixture
async def central(running):
    async with Central(*running) as central:
        yield central


@pytest_asyncio.fixture
async def station_id(central):
    return await central.declare()


@pytest_asyncio.fixture
async def point(central, station_id):
    """A connected station that has said nothing yet."""
    async with central.point(station_id) as point:
        yield point
