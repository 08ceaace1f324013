"""The network goes at 70 % of the limit: a real server, a cable, and a station that obeys."""

import asyncio
import json
import logging
from decimal import Decimal

import httpx
import pytest

from config.tests.cable import Cable
from sessions_app.tests.test_backstop import periods
from stations.simulator.connector import Setup
from stations.simulator.station import SimulatedStation
from stations.tests.house import KEY, House, open_town

pytestmark = pytest.mark.e2e

logger = logging.getLogger(__name__)
LIMIT_WH, POWER_W, STATED_KW = 1000, 60_000, 120


@pytest.fixture
def house(tmp_path):
    settings = {"CSMS_PROVISION": "true", "CSMS_METER_INTERVAL_S": "2"}
    with open_town(tmp_path, **settings) as server:
        yield House(server)


async def test_a_charge_whose_network_is_cut_ends_at_its_limit(house):
    """It draws half of what the station can give: the first plan alone would end far too early."""
    station = f"/ocpp/stations/{house.station_id}"
    async with Cable(house.server.host, house.server.port) as cable:
        url = cable.reroute(f"ws://{house.server.host}:{house.server.port}").replace("@", "")
        setup = Setup(url, house.station_id, KEY, power_w=Decimal(POWER_W), interval_s=Decimal(2))
        simulated = SimulatedStation(setup)
        async with simulated.powered():
            await asyncio.to_thread(state_power, house, station)
            await asyncio.to_thread(
                house.wait_for, f"{station}/configuration", knows_smart_charging, house.staff
            )
            begun = await asyncio.to_thread(
                house.start_charge, limit_type="energy", limit_value="1"
            )
            connector = simulated.connectors[1]
            await until(lambda: connector.register_wh >= LIMIT_WH * 0.7)
            await cable.cut()
            await until(lambda: connector.status == "SuspendedEVSE")
            assert simulated.wire is None
            assert connector.transaction is not None
            ended_wh = connector.register_wh
            await asyncio.sleep(2)  # nothing flows any more, and nobody has told it to stop
            assert connector.register_wh == ended_wh
            await cable.mend()
            session = await asyncio.to_thread(
                house.wait_for,
                f"/ocpp/sessions/{begun['id']}",
                lambda found: found["status"] == "completed",
                house.staff,
            )
            assert connector.register_wh == ended_wh or connector.transaction is None
    logger.info("cut at 70 %%: ended at %d of %d Wh", ended_wh, LIMIT_WH)
    sent = sent_profiles(house)
    assert len(sent) >= 2, sent
    assert periods(sent[-1])[-1][1] == 0
    assert 0.97 * LIMIT_WH <= ended_wh <= 1.03 * LIMIT_WH
    assert Decimal(session["energy_kwh"]) * 1000 <= Decimal("1.03") * LIMIT_WH


def state_power(house, path):
    answer = httpx.patch(
        house.server.base_url + path,
        json={"max_power_kw": STATED_KW},
        headers={"Authorization": f"Bearer {house.staff}"},
    )
    assert answer.is_success, answer.text


def knows_smart_charging(found):
    told = {key["key"]: key.get("value") or "" for key in found["keys"]}
    interval = told.get("MeterValueSampleInterval")
    return "SmartCharging" in told.get("SupportedFeatureProfiles", "") and interval == "2"


def sent_profiles(house):
    code = (
        "import json; from stations.models import Command; print(json.dumps([c.payload.get("
        "'chargingProfile') or c.payload.get('csChargingProfiles') for c in Command.objects.filter("
        "action__in=['RemoteStartTransaction', 'SetChargingProfile']).order_by('created_at')]))"
    )
    return json.loads(house.server.manage("shell", "-v0", "-c", code).strip().splitlines()[-1])


async def until(is_true):
    async with asyncio.timeout(120):
        while not is_true():  # noqa: ASYNC110 - a meter tells nobody that it counts
            await asyncio.sleep(0.05)
