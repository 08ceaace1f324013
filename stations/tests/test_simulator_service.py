"""What an operator asks for, and what the network does to it, against a plain double."""

import asyncio
import datetime as dt
from decimal import Decimal

import pytest

from stations.simulator.errors import ScenarioFailed
from stations.simulator.scenarios import steps
from stations.tests.central import Central
from stations.tests.depot import open_depot
from stations.tests.test_simulator_scenarios import make_station, playing, run
from stations.tests.test_simulator_stories import remote_start, until_charging, until_up

LONG = {"car_needs_wh": Decimal(1_000_000)}


@pytest.fixture
def central():
    return Central()


@pytest.fixture
def depot():
    with open_depot() as depot:
        depot.files |= {"/new": b"2.0\n", "/noise": b"\x00\x01", "/same": b"1.0\n"}
        yield depot


async def reserve(central, id_tag):
    await until_up(central)
    expiry = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
    wanted = {"connectorId": 1, "reservationId": 7, "idTag": id_tag, "expiryDate": expiry}
    assert await central.call("ReserveNow", wanted) == [3, {"status": "Accepted"}]


async def update(central, location):
    await until_up(central)
    now = dt.datetime.now(dt.UTC).isoformat()
    await central.call("UpdateFirmware", {"location": location, "retrieveDate": now})


# --- Reservations -------------------------------------------------------------------------


@pytest.mark.parametrize("card", ["MINE", ""])
async def test_who_holds_the_reservation_charges_by_card_or_from_afar(central, card):
    async with central.listening() as url, playing("reservation", make_station(url), card):
        await reserve(central, "MINE")
        if not card:
            await central.call("RemoteStartTransaction", {"idTag": "MINE"})
    (start,) = central.payloads("StartTransaction")
    assert start["reservationId"] == 7
    assert len(central.payloads("StopTransaction")) == 1


async def test_another_card_is_kept_away(central):
    async with (
        central.listening() as url,
        playing("reservation-taken", make_station(url), "OTHER"),
    ):
        await reserve(central, "MINE")
    assert central.payloads("StartTransaction") == []


async def test_a_card_that_is_not_kept_away_is_a_failure(central):
    async with central.listening() as url:
        failing = asyncio.create_task(run("reservation-taken", make_station(url), "MINE"))
        await reserve(central, "MINE")
        with pytest.raises(ScenarioFailed, match="MINE charges where another has reserved"):
            await failing


# --- Firmware and logs --------------------------------------------------------------------


async def test_firmware_ends_when_the_station_has_booted_with_it(central, depot):
    async with central.listening() as url, playing("firmware", make_station(url)):
        await update(central, f"{depot.url}/new")
    versions = [boot["firmwareVersion"] for boot in central.payloads("BootNotification")]
    assert versions == ["1.0", "2.0"]


@pytest.mark.parametrize(
    ("scenario", "path", "complaint"),
    [
        ("firmware", "/nothing", "the update ended with DownloadFailed"),
        ("firmware", "/noise", "the update ended with InstallationFailed"),
        ("firmware", "/same", "the firmware is still 1.0"),
        ("firmware-fails", "/nothing", "the update ended with DownloadFailed"),
    ],
)
async def test_an_update_that_ends_otherwise_is_a_failure(
    central, depot, scenario, path, complaint
):
    async with central.listening() as url:
        failing = asyncio.create_task(run(scenario, make_station(url)))
        await update(central, depot.url + path)
        with pytest.raises(ScenarioFailed, match=complaint):
            await failing


async def test_firmware_that_fails_does_not_boot(central, depot):
    async with central.listening() as url, playing("firmware-fails", make_station(url)):
        await update(central, f"{depot.url}/new")
    told = [row["status"] for row in central.payloads("FirmwareStatusNotification")]
    assert told == ["Downloading", "Downloaded", "Installing", "InstallationFailed"]
    assert len(central.payloads("BootNotification")) == 1


@pytest.mark.parametrize("action", ["GetDiagnostics", "GetLog"])
async def test_a_log_is_handed_in(central, depot, action):
    payload = {
        "GetDiagnostics": {"location": depot.url},
        "GetLog": {
            "logType": "SecurityLog",
            "requestId": 1,
            "log": {"remoteLocation": depot.url},
        },
    }[action]
    async with central.listening() as url, playing("diagnostics", make_station(url)):
        await until_up(central)
        await central.call(action, payload)
    assert len(depot.taken) == 1


async def test_a_log_that_nobody_takes_is_a_failure(central, depot):
    depot.busy = 1
    async with central.listening() as url:
        failing = asyncio.create_task(run("diagnostics", make_station(url)))
        await until_up(central)
        await central.call("GetDiagnostics", {"location": depot.url})
        with pytest.raises(ScenarioFailed, match="nobody took the log"):
            await failing


@pytest.mark.parametrize(
    ("scenario", "action"),
    [
        ("plain", "RemoteStartTransaction"),
        ("silent", "RemoteStartTransaction"),
        ("reply-lost", "RemoteStartTransaction"),
        ("reservation", "ReserveNow"),
        ("firmware", "UpdateFirmware or SignedUpdateFirmware"),
        ("diagnostics", "GetDiagnostics or GetLog"),
    ],
)
async def test_a_call_that_never_comes_ends_the_story(central, monkeypatch, scenario, action):
    monkeypatch.setattr(steps, "PATIENCE_S", 0.3)
    async with central.listening() as url:
        with pytest.raises(ScenarioFailed, match=f"no {action} came in "):
            await run(scenario, make_station(url))


# --- The network and the clock ------------------------------------------------------------


async def test_calls_that_cross_are_answered_after_what_they_caused(central):
    async with central.listening() as url, playing("crossing-calls", make_station(url, **LONG)):
        assert await remote_start(central) == [3, {"status": "Accepted"}]
        assert len(central.payloads("StartTransaction")) == 1
        await until_charging(central)
        stop = await central.call("RemoteStopTransaction", {"transactionId": 1})
        assert stop == [3, {"status": "Accepted"}]
        assert len(central.payloads("StopTransaction")) == 1


async def test_an_old_socket_dies_beside_the_new_one(central):
    async with central.listening() as url:
        await run("half-open", make_station(url), "CARD")
    assert len(central.connections) == 2
    assert {number for *_, number in central.received} == {2}


async def test_an_old_socket_that_takes_the_new_one_with_it_is_a_failure(central):
    async with central.listening() as url:
        failing = asyncio.create_task(run("half-open", make_station(url, **LONG), "CARD"))
        await until_charging(central)
        central.connections[1].transport.abort()
        await central.until(lambda c: len(c.connections) == 3)
        await central.call("RemoteStopTransaction", {"transactionId": 1})
        with pytest.raises(ScenarioFailed, match="took the new one with it"):
            await failing


async def test_a_flood_is_confirmed_to_its_end(central):
    async with central.listening() as url:
        await run("flood", make_station(url), "CARD")
    assert len(central.payloads("MeterValues")) > 300
    assert len(central.payloads("StatusNotification")) > 300
    assert len(central.payloads("StopTransaction")) == 1


async def test_message_ids_begin_again_with_the_next_connection(central):
    async with central.listening() as url:
        await run("message-id-restart", make_station(url), "CARD")
    ids = [(message_id, number) for *_, message_id, number in central.received]
    assert ("1", 1) in ids
    assert ("1", 2) in ids
    assert len(central.payloads("StartTransaction")) == 1


async def test_a_boot_sets_the_clock_in_the_midst_of_a_charge(central):
    async with central.listening() as url:
        await run("clock-set-by-boot", make_station(url, car_needs_wh=Decimal(2000)), "CARD")
    (start,), (stop,) = central.payloads("StartTransaction"), central.payloads("StopTransaction")
    assert start["timestamp"] < "1971" < "2020" < stop["timestamp"]
    assert stop["meterStop"] - start["meterStart"] == 2000
