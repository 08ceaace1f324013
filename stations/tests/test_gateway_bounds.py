"""Malformed frames, floods, slow neighbours: always an answer, and no other station waits (P5)."""

import asyncio
import json
import time

import pytest
from django.db import connection

from sessions_app.models import Orphan, Reading
from stations.gateway import connection as gateway_connection
from stations.gateway.bridge import in_database
from stations.models import Connector, Station
from stations.tests.in_process import InProcessStation

PROMPT_S = 0.5
NOT_CALLS = ["", "null", "{}", "[]", "hello", "[2]", '[2,5,"Heartbeat",{}]', "[" * 100_000]
BROKEN_CALLS = {
    '[2,"{id}"]': "FormationViolation",
    '[2,"{id}","Heartbeat"]': "FormationViolation",
    '[2,"{id}","Heartbeat",{},5]': "FormationViolation",
    '[2,"{id}",["Heartbeat"],{}]': "FormationViolation",
    '[2,"{id}",{"a":1},{}]': "FormationViolation",
    '[2,"{id}","Heartbeat",[]]': "FormationViolation",
    '[2,"{id}","Heartbeat",' + "[" * 100_000 + "]" * 100_000 + "]": "FormationViolation",
    '[2,"{id}","Heartbeat",{"a":' + "9" * 5000 + "}]": "FormationViolation",
    '[2,"{id}","Heartbeat",{"a":NaN}]': "FormationViolation",
    '[2,"{id}","Heartbeat",{"a":1}]': "FormationViolation",
    '[2,"{id}","Authorize",{"idTag":' + "[" * 400 + "]" * 400 + "}]": "FormationViolation",
    '[2,"{id}","Fly",{}]': "NotImplemented",
    '[2,"{id}","HeartbeatResponse",{}]': "NotImplemented",
    '[2,"{id}","Reset",{"type":"Hard"}]': "NotSupported",
    '[2,"{id}","Authorize",{}]': "ProtocolError",
    '[2,"{id}","Authorize",{"idTag":5}]': "TypeConstraintViolation",
}


@pytest.fixture
def k2(k1):
    """A second station."""
    row = Station.objects.create(station_id="K-2", identity="k-2", security_profile=0)
    Connector.objects.create(station=row, connector_id=1)
    return row


@pytest.mark.parametrize(("template", "code"), list(BROKEN_CALLS.items()))
async def test_a_broken_call_is_answered_in_the_codes_of_ocpp_16(plug_in, k1, template, code):
    station = await plug_in()
    reply = await station.exchange(template.replace("{id}", "x"), "x")
    assert reply[:3] == [4, "x", code]
    assert len(reply) == 5
    assert (await station.boot())["status"] == "Accepted"


@pytest.mark.parametrize("message_id", ["\u0000", "ключ", '"\\', "x" * 36])
async def test_an_answer_bears_the_id_of_its_call(plug_in, k1, message_id):
    station = await plug_in()
    assert (await station.ask("Heartbeat", {}, message_id=message_id))[:2] == [3, message_id]


async def test_an_id_that_no_utf8_can_carry_is_answered(plug_in, k1):
    station = await plug_in()
    reply = await station.exchange('[2,"\\ud800","Heartbeat",{}]', "\ud800")
    assert reply[:3] == [4, "\ud800", "FormationViolation"]


async def test_200_malformed_frames_hold_no_one_up(plug_in, k1, k2):
    bad, good = await plug_in("K-1"), await plug_in("K-2")
    templates = list(BROKEN_CALLS)
    expected = []
    for number in range(200):
        if number % 3 == 0:
            await bad.send_text(NOT_CALLS[number // 3 % len(NOT_CALLS)])
        else:
            template = templates[number % len(templates)]
            await bad.send_text(template.replace("{id}", f"n{number}"))
            expected.append([f"n{number}", BROKEN_CALLS[template]])
    began = time.monotonic()
    status = {"connectorId": 1, "status": "Available", "errorCode": "NoError"}
    assert await good.call("StatusNotification", status) == {}
    assert time.monotonic() - began < PROMPT_S
    assert (await bad.boot())["status"] == "Accepted"
    assert [[frame[1], frame[2]] for frame in bad.frames if frame[0] == 4] == expected


async def test_binary_frames_are_ignored(plug_in, k1):
    station = await plug_in()
    await station.socket.send(b'[2,"1","Heartbeat",{}]')
    assert set(await station.call("Heartbeat", {}, message_id="2")) == {"currentTime"}
    assert [frame[1] for frame in station.frames] == ["2"]


async def test_calls_are_answered_in_the_order_in_which_they_came(plug_in, k1):
    station = await plug_in()
    for number in range(20):
        await station.send_frame([2, f"{number}", "Authorize", {"idTag": "x"}])
    await station.call("DataTransfer", {"vendorId": "last"}, message_id="last")
    assert [frame[1] for frame in station.frames] == [*map(str, range(20)), "last"]


def meter_values(measurand, **more):
    sampled = [{"value": "231", "measurand": measurand}]
    moment = {"timestamp": "2026-11-24T13:00:00Z", "sampledValue": sampled}
    return {"connectorId": 1, "meterValue": [moment], **more}


async def test_what_changes_nothing_is_answered_in_its_turn(plug_in, k1):
    """Only a Heartbeat does not wait for the calls before it: it must not hang on the database."""
    station = await plug_in()
    for number in range(5):
        await station.send_frame([2, f"{number}", "Authorize", {"idTag": "x"}])
    await station.send_frame([2, "beat", "Heartbeat", {}])
    assert await station.call("MeterValues", meter_values("Voltage"), message_id="v") == {}
    order = [frame[1] for frame in station.frames]
    assert [one for one in order if one != "beat"] == [*map(str, range(5)), "v"]
    assert order.index("beat") < order.index("4")


async def test_only_what_stores_nothing_is_answered_without_the_database(plug_in, gateway, k1):
    station = await plug_in()
    await station.call("MeterValues", meter_values("Voltage"))
    assert not await Reading.objects.aexists()
    await station.call("MeterValues", meter_values("SoC"))
    assert await Reading.objects.acount() == 1
    for connector_id in (-1, 256):
        reply = await station.ask("MeterValues", meter_values("Voltage", connectorId=connector_id))
        assert reply[2] == "PropertyConstraintViolation"
    assert await Orphan.objects.acount() == 2


async def test_more_than_200_unhandled_calls_close_the_socket(plug_in, k1):
    station = await plug_in()
    for number in range(1000):
        await station.send_frame([2, f"{number}", "Authorize", {"idTag": "x"}])
    assert await station.wait_closed() == gateway_connection.Close.FLOODED


async def test_a_slow_query_of_one_station_stalls_no_other(plug_in, k1, k2):
    """All consumers of a process share one thread in Channels' own loop."""

    def sleep_in_database():
        with connection.cursor():
            time.sleep(2)

    good = await plug_in("K-2")
    slow = [asyncio.create_task(in_database(sleep_in_database)) for _ in range(3)]
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await good.call("Authorize", {"idTag": "x"})
    assert time.monotonic() - began < PROMPT_S
    await asyncio.gather(*slow)


async def test_what_came_before_the_socket_closed_is_still_handled(gateway, k1):
    station = InProcessStation(gateway, "/ws/K-1")
    await station.connect()
    status = {"connectorId": 1, "status": "Finishing", "errorCode": "NoError"}
    await station.send_text(json.dumps([2, "1", "StatusNotification", status]))
    await station.close()
    assert (await Connector.objects.aget(station=k1, connector_id=1)).status == "Finishing"
