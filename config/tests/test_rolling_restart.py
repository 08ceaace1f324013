"""Two servers behind the real proxy, restarted one after the other while everyone goes on (P3, P4).

Stations charge and tell it each second; an app reads, pays in, and repeats with its key what the
proxy could not deliver. Nothing that was answered may be lost, and nothing may be there twice.
"""

import asyncio
import logging
import os
import uuid
from collections import Counter
from decimal import Decimal

import httpx
import pytest
import pytest_asyncio

from config.tests.crowd import Keeper
from config.tests.proxy import Proxy
from config.tests.server import ServerProcess
from config.tests.street import SETTINGS, Charge, Street, ok

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.redis, pytest.mark.nginx]
logger = logging.getLogger(__name__)

COUNT = int(os.environ.get("KUBAT_ROLLING_STATIONS", "20"))
CALLS_EVERY_S = 0.1
LOST = "SELECT count(*) FROM sessions_app_chargingsession WHERE lost_at IS NOT NULL"
CLEAR = {502, 503}
"""What says that nobody answered, and that a client may ask again."""


@pytest.fixture
def servers(migrated_postgres_url, redis_url, tmp_path):
    """Two servers on one port of two addresses, as two containers have it."""
    both = [
        ServerProcess(
            database_url=migrated_postgres_url,
            redis_url=redis_url,
            directory=tmp_path,
            name=name,
            host=host,
            CSMS_CA_DIR=tmp_path / "ca",
            CSMS_TRUSTED_PROXIES="127.0.0.1",
            ALLOWED_HOSTS="127.0.0.1,127.0.0.2,127.0.0.3",
            **SETTINGS,
        )
        for name, host in (("one", "127.0.0.2"), ("other", "127.0.0.3"))
    ]
    both[1].port = both[0].port
    with both[0], both[1]:
        yield both


@pytest.fixture
def proxy(servers, tmp_path, settings):
    settings.CSMS_CA_DIR = str(tmp_path / "ca")
    with Proxy(tmp_path / "nginx", server_port=servers[0].port) as running:
        running.names.addresses["gateway"] = [server.host for server in servers]
        yield running


class App:
    """Calls through the proxy, one after the other: reads, and payments with a key."""

    def __init__(self, proxy, street):
        self.street = street
        self.client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{proxy.port}",
            headers={"Authorization": street.olga},
            trust_env=False,
            timeout=60,
        )
        self.statuses = {"GET": Counter(), "POST": Counter()}
        self.paid = 0
        self._is_over = False
        self._task = asyncio.create_task(self._run())

    async def stop(self):
        self._is_over = True
        await self._task
        await self.client.aclose()

    async def _run(self):
        while not self._is_over:
            status = (await self.client.get("/ocpp/sessions")).status_code
            self.statuses["GET"][status] += 1
            await self._pay()
            await asyncio.sleep(CALLS_EVERY_S)

    async def _pay(self):
        """Pay 1 som in, once, however often it must be asked for."""
        key = {"Idempotency-Key": str(uuid.uuid4())}
        body = {"amount": "1.00", "provider": "manual", "user_id": self.street.alice_id}
        while True:
            answer = await self.client.post("/billing/topups", json=body, headers=key)
            self.statuses["POST"][answer.status_code] += 1
            if answer.status_code == 201:
                self.paid += 1
                return
            assert answer.status_code in CLEAR | {409}, answer.text
            await asyncio.sleep(0.5)


@pytest_asyncio.fixture
async def street(servers):
    return await asyncio.to_thread(Street, servers[0], COUNT)


async def test_a_rolling_restart_loses_nothing(servers, proxy, street):
    keepers = [Keeper(proxy.plain_url(f"S-{number}")) for number in range(COUNT)]
    charges = [Charge(keeper) for keeper in keepers]
    await asyncio.gather(*(charge.boot() for charge in charges))
    await asyncio.gather(*(charge.begin() for charge in charges))
    app = App(proxy, street)
    await asyncio.sleep(3)
    for server in servers:
        assert await asyncio.to_thread(server.terminate) == 0
        await asyncio.sleep(3)
        await asyncio.to_thread(server.start)
        await asyncio.sleep(3)
    await app.stop()
    await asyncio.gather(*(charge.end() for charge in charges))
    for keeper in keepers:
        await keeper.stop()

    assert set(app.statuses["GET"]) == {200}
    assert set(app.statuses["POST"]) <= {201, 409} | CLEAR
    assert {code for keeper in keepers for code in keeper.closes} <= {1000, 1001}
    assert street.rows(LOST) == [(0,)]
    await asyncio.to_thread(street.see_all_settled, charges)
    assert balance(servers[0], street) == 40 * COUNT + app.paid - spent(street)
    refused = Counter(status for keeper in keepers for status in keeper.refusals)
    logger.info(
        "%d stations, longest answer %.2f s, refused %s, API %s",
        COUNT,
        max(keeper.longest_wait_s for keeper in keepers),
        dict(refused),
        app.statuses,
    )


def balance(server, street):
    headers = {"Authorization": street.alice}
    answer = httpx.get(f"{server.base_url}/billing/balance", headers=headers, trust_env=False)
    return Decimal(ok(answer)["balance"])


def spent(street):
    [(minor,)] = street.rows("SELECT sum(cost_minor) FROM sessions_app_chargingsession")
    return Decimal(minor) / 100
