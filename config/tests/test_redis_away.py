"""Redis away and back under two servers with a street of charges: delay, and nothing else (P6)."""

import asyncio
import logging
import os

import httpx
import pytest

from config.tests.cluster import Redis
from config.tests.crowd import Keeper, expect
from config.tests.server import ServerProcess
from config.tests.street import SETTINGS, Charge, Street, ok

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.redis]
logger = logging.getLogger(__name__)

COUNT = int(os.environ.get("KUBAT_REDIS_STATIONS", "60"))
AWAY_S = 4


@pytest.fixture
def own_redis():
    with Redis() as running:
        yield running


@pytest.fixture
def servers(migrated_postgres_url, own_redis, tmp_path):
    both = [
        ServerProcess(
            database_url=migrated_postgres_url,
            redis_url=own_redis.url,
            directory=tmp_path,
            name=name,
            **SETTINGS,
        )
        for name in ("one", "other")
    ]
    with both[0], both[1]:
        yield both


async def post(server, street, path, **body):
    headers = {"Authorization": street.alice}
    async with httpx.AsyncClient(
        base_url=server.base_url, headers=headers, trust_env=False, timeout=60
    ) as client:
        return ok(await client.post(path, json=body))


async def test_redis_away_at_a_start_and_at_a_stop_costs_delay_and_no_socket(servers, own_redis):
    """Every socket lives through it; an order at one server reaches its station at the other."""
    one, other = servers
    street = await asyncio.to_thread(Street, one, COUNT)
    keepers = [Keeper(servers[n % 2].ws_url(f"S-{n}")) for n in range(COUNT)]
    charges = [Charge(keeper) for keeper in keepers]
    await asyncio.gather(*(charge.boot() for charge in charges))
    ordered, *by_card = charges
    await asyncio.gather(*(charge.begin() for charge in by_card))

    await asyncio.to_thread(own_redis.stop)
    began = asyncio.get_running_loop().time()
    order = {"station_id": "S-0", "limit_type": "amount", "limit_value": "30"}
    session = await post(other, street, "/ocpp/start_charge", **order)
    await ordered.begin_when_asked()
    started_s = asyncio.get_running_loop().time() - began
    await asyncio.sleep(AWAY_S)
    await asyncio.to_thread(own_redis.start)
    await asyncio.sleep(AWAY_S)

    await asyncio.to_thread(own_redis.stop)
    began = asyncio.get_running_loop().time()
    await post(other, street, "/ocpp/stop_charge", session_id=session["id"])
    await expect(keepers[0].asked, "RemoteStopTransaction")
    stopped_s = asyncio.get_running_loop().time() - began
    await asyncio.gather(*(charge.end() for charge in charges))
    await asyncio.to_thread(own_redis.start)

    assert not [code for keeper in keepers for code in keeper.closes]
    for keeper in keepers:
        await keeper.stop()
    asked = [action for action, _ in keepers[0].asked]
    assert asked.count("RemoteStartTransaction") == 1
    await asyncio.to_thread(street.see_all_settled, charges)
    logger.info("with Redis away a start took %.1f s, a stop %.1f s", started_s, stopped_s)
