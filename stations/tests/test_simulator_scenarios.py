"""The simulator's scenarios against a small central system that is none of ours."""

import asyncio
import contextlib
from decimal import Decimal

import pytest

from stations.simulator.connector import Setup
from stations.simulator.errors import HandshakeRefused, ScenarioFailed, Unreachable
from stations.simulator.fleet import play
from stations.simulator.memory import Memory
from stations.simulator.scenarios import SCENARIOS
from stations.simulator.station import SimulatedStation
from stations.tests.central import Central


@pytest.fixture
def central():
    return Central()


def make_station(url, **changes):
    """A station that takes 1 kWh in about half a second and samples every 50 ms."""
    values = {
        "url": url,
        "station_id": "S-1",
        "power_w": Decimal(60_000),
        "speed": Decimal(120),
        "interval_s": Decimal("0.05"),
        "car_needs_wh": Decimal(1000),
    } | changes
    return SimulatedStation(Setup(**values))


async def run(name, station, tag=""):
    async with asyncio.timeout(15):
        await SCENARIOS[name](station, tag)


@contextlib.asynccontextmanager
async def playing(name, station, tag=""):
    """Run a scenario beside the block, and wait for its end afterwards."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run(name, station, tag))
        yield


async def test_plain_waits_for_a_remote_start_and_ends_at_the_remote_stop(central):
    async with central.listening() as url:
        station = make_station(url, car_needs_wh=Decimal(1_000_000))
        async with playing("plain", station):
            await central.until(lambda c: len(c.payloads("StatusNotification")) == 2)
            answer = await central.call(
                "RemoteStartTransaction", {"connectorId": 1, "idTag": "TAG"}
            )
            assert answer == [3, {"status": "Accepted"}]
            await central.until(lambda c: len(c.payloads("MeterValues")) == 4)
            answer = await central.call("RemoteStopTransaction", {"transactionId": 1})
            assert answer == [3, {"status": "Accepted"}]
    (start,), (stop,) = central.payloads("StartTransaction"), central.payloads("StopTransaction")
    assert (start["connectorId"], start["idTag"], start["meterStart"]) == (1, "TAG", 0)
    assert (stop["transactionId"], stop["reason"]) == (1, "Remote")
    assert stop["meterStop"] > 0
    assert [a for a in central.actions(1) if a != "MeterValues"] == [
        "BootNotification",
        "StatusNotification Available",
        "StatusNotification Preparing",
        "StartTransaction",
        "StatusNotification Charging",
        "StopTransaction",
        "StatusNotification Finishing",
        "StatusNotification Available",
    ]


async def test_samples_never_fall_and_end_at_meter_stop(central):
    async with central.listening() as url:
        await run("local-start", make_station(url), "CARD")
    readings = [
        int(row["meterValue"][0]["sampledValue"][0]["value"])
        for row in central.payloads("MeterValues")
    ]
    (stop,) = central.payloads("StopTransaction")
    assert readings == sorted(readings)
    assert len(set(readings)) > 3
    assert readings[-1] == stop["meterStop"] == 1000
    assert stop["reason"] == "EVDisconnected"


async def test_every_message_of_a_transaction_carries_its_id(central):
    async with central.listening() as url:
        await run("local-start", make_station(url), "CARD")
    for action in ("MeterValues", "StopTransaction"):
        assert {row["transactionId"] for row in central.payloads(action)} == {1}


async def test_a_refused_tag_starts_nothing(central):
    central.verdicts["CARD"] = "Blocked"
    async with central.listening() as url:
        with pytest.raises(ScenarioFailed, match="the tag CARD is Blocked"):
            await run("local-start", make_station(url), "CARD")
    assert central.payloads("StartTransaction") == []


async def test_a_start_that_the_server_refuses_is_ended(central):
    central.verdicts["CARD"] = "Invalid"
    async with central.listening() as url:
        station = make_station(url, car_needs_wh=Decimal(1_000_000))
        async with asyncio.timeout(15), station.powered():
            await station.until(lambda: station.is_ready)
            station.begin(station.connectors[1], "CARD")
            await station.until(lambda: station.delivered)
    assert station.delivered[0].verdict == "Invalid"
    (stop,) = central.payloads("StopTransaction")
    assert stop["reason"] == "DeAuthorized"


async def test_reply_lost_sends_both_again_over_a_new_connection_without_boot(central):
    async with central.listening() as url:
        await run("reply-lost", make_station(url), "CARD")
    assert len(central.payloads("BootNotification")) == 1
    assert len(central.connections) == 3
    starts, stops = central.payloads("StartTransaction"), central.payloads("StopTransaction")
    assert len(starts) == len(stops) == 2
    assert starts[0] == starts[1]
    assert stops[0] == stops[1]


async def test_reply_lost_fails_when_the_resent_start_gets_another_id(central):
    class Forgetful(dict):
        def setdefault(self, key, value):
            self[len(self)] = value
            return value

    central.started = Forgetful()
    async with central.listening() as url:
        with pytest.raises(ScenarioFailed, match="got 1 at first and 2 when it was resent"):
            await run("reply-lost", make_station(url), "CARD")


async def test_power_failure_boots_tells_the_old_status_and_then_what_was_queued(central):
    async with central.listening() as url:
        await run("power-failure", make_station(url), "CARD")
    last = len(central.connections)
    assert central.actions(1) == ["BootNotification", "StatusNotification Available"]
    told = central.actions(last)
    assert told[:3] == ["BootNotification", "StatusNotification Charging", "StartTransaction"]
    assert told[3:6] == ["MeterValues"] * 3
    assert told[-3:] == [
        "StopTransaction",
        "StatusNotification Finishing",
        "StatusNotification Available",
    ]
    (stop,) = central.payloads("StopTransaction")
    assert stop["reason"] == "PowerLoss"
    ids = [message_id for _, _, message_id, number in central.received if number == last]
    assert ids[0] == "1", "message ids begin again after a power failure"


async def test_power_failure_after_a_remote_start_resends_the_start_that_lost_its_reply(central):
    async with central.listening() as url, playing("power-failure", make_station(url)):
        await central.until(lambda c: len(c.payloads("StatusNotification")) == 2)
        await central.call("RemoteStartTransaction", {"idTag": "TAG"})
    starts = central.payloads("StartTransaction")
    assert len(starts) == 2
    assert starts[0] == starts[1]
    assert {row["transactionId"] for row in central.payloads("StopTransaction")} == {1}


async def test_a_refused_transaction_message_is_tried_again(central):
    central.refused["StopTransaction"] = 1
    async with central.listening() as url:
        station = make_station(url)
        async with playing("local-start", station, "CARD"):
            await central.until(lambda c: c.payloads("BootNotification"))
            station.configuration.change("TransactionMessageRetryInterval", "0")
    assert len(central.payloads("StopTransaction")) == 2


async def test_a_message_refused_for_good_fails_the_scenario(central):
    central.refused["StopTransaction"] = 99
    async with central.listening() as url:
        station = make_station(url)
        failing = asyncio.create_task(run("local-start", station, "CARD"))
        await station.until(lambda: station.is_ready)
        station.configuration.change("TransactionMessageRetryInterval", "0")
        with pytest.raises(ScenarioFailed, match="StopTransaction was refused for good"):
            await failing
    assert len(central.payloads("StopTransaction")) == 3


@pytest.mark.parametrize(
    ("status", "text"), [(401, "key is wrong"), (404, "not registered"), (400, "ocpp1.6")]
)
async def test_a_refused_handshake_says_why(central, status, text):
    central.handshake_status = status
    async with central.listening() as url:
        with pytest.raises(HandshakeRefused, match=f"{status}.*{text}"):
            await run("plain", make_station(url))


async def test_nobody_there_is_unreachable():
    with pytest.raises(Unreachable, match=r"no connection to ws://127\.0\.0\.1:1"):
        await run("plain", make_station("ws://127.0.0.1:1"))


async def test_the_key_travels_as_basic_credentials(central):
    async with central.listening() as url:
        await run("local-start", make_station(url, key="secret-key"), "CARD")
    assert central.credentials == ["Basic Uy0xOnNlY3JldC1rZXk="]


async def test_a_fleet_plays_side_by_side_and_one_failure_leaves_the_others_alone(central):
    central.verdicts["CARD"] = "Accepted"
    async with central.listening() as url:
        good = [make_station(url, station_id=f"S-{n}") for n in range(3)]
        lost = make_station("ws://127.0.0.1:1", station_id="S-lost")
        outcomes = await play([*good, lost], SCENARIOS["local-start"], id_tag="CARD", timeout_s=15)
    assert [outcome.error is None for outcome in outcomes] == [True, True, True, False]
    assert len(central.payloads("StopTransaction")) == 3


async def test_a_scenario_that_is_not_over_in_time_fails(central):
    async with central.listening() as url:
        (outcome,) = await play([make_station(url)], SCENARIOS["plain"], id_tag="", timeout_s=0.3)
    assert str(outcome.error) == "it was not over after 0.3 s"


async def test_the_register_goes_on_where_the_memory_file_left_it(central, tmp_path):
    file = tmp_path / "station.json"
    async with central.listening() as url:
        for _ in range(2):
            setup = make_station(url).setup
            station = SimulatedStation(setup, memory=Memory.load(file))
            await run("local-start", station, "CARD")
    first, second = central.payloads("StartTransaction")
    assert (first["meterStart"], second["meterStart"]) == (0, 1000)


async def test_a_station_killed_in_mid_charge_ends_it_at_its_next_power_on(central, tmp_path):
    file = tmp_path / "station.json"
    async with central.listening() as url:
        setup = make_station(url, car_needs_wh=Decimal(1_000_000)).setup
        killed = SimulatedStation(setup, memory=Memory.load(file))
        async with killed.powered():
            await killed.until(lambda: killed.is_ready)
            killed.begin(killed.connectors[1], "CARD")
            await central.until(lambda c: len(c.payloads("MeterValues")) > 3)
        again = SimulatedStation(setup, memory=Memory.load(file))
        async with again.powered():
            await again.until(lambda: again.delivered)
    (stop,) = central.payloads("StopTransaction")
    assert (stop["reason"], stop["transactionId"]) == ("PowerLoss", 1)
    assert stop["meterStop"] > 0
