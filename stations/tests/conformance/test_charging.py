"""Charges of OCPP 1.6 from the card to the receipt, and those that must not be."""

import pytest

from .kit import (
    BLOCKED_TAG,
    EXPIRED_TAG,
    FREE_TAG,
    GROUP_TAG,
    MASTER_GROUP,
    MASTER_TAG,
    UNKNOWN_TAG,
    authorize,
    booted,
    charging,
    finish,
    stamp,
    start,
    status,
    stop,
)

VERDICTS = {UNKNOWN_TAG: "Invalid", EXPIRED_TAG: "Expired", BLOCKED_TAG: "Blocked"}


@pytest.fixture
def remote(central, station_id):
    """Ask for a start as the operator, by the product's own call."""

    async def ask(**wanted):
        body = {"station_id": station_id, "limit_type": "energy", "limit_value": "5"} | wanted
        return await central.client.post("/ocpp/start_charge", json=body)

    return ask


@pytest.fixture
def funded(central):
    """The operator has money of their own to charge with."""

    async def top_up():
        body = {"amount": "1000.00", "provider": "manual"}
        assert (await central.client.post("/billing/topups", json=body)).status_code == 201

    return top_up


async def test_tc_001_cold_boot(central, point, station_id):
    answer = await point.boot(firmwareVersion="1.2.3", chargePointSerialNumber="S-1")
    assert answer["status"] == "Accepted"
    assert answer["interval"] > 0
    assert answer["currentTime"].endswith("Z")
    for connector_id in (0, 1, 2):
        await status(point, "Available", connector_id)
    assert await central.connector(station_id) == "Available"
    heartbeat = await point.call("Heartbeat", {})
    assert set(heartbeat) == {"currentTime"}


async def test_tc_002_boot_while_pending(central):
    """A station that nobody declared is told to come again, and sells nothing until it is."""
    station_id = central.new_identity()
    async with central.point(station_id, key=None) as point:
        answer = await point.boot()
        assert answer["status"] == "Pending"
        assert answer["interval"] > 0
        assert (await point.call("Heartbeat", {}))["currentTime"]
        assert (await authorize(point, FREE_TAG))["status"] == "Invalid"
        refused = await point.ask(
            "StartTransaction",
            {"connectorId": 1, "idTag": FREE_TAG, "meterStart": 0, "timestamp": stamp()},
        )
        assert refused[2] == "SecurityError"
    await central.declare(station_id=station_id)
    async with central.point(station_id) as point:
        assert (await point.boot())["status"] == "Accepted"


async def test_tc_003_plug_first(central, point, station_id):
    await booted(point)
    await status(point, "Preparing")
    assert (await authorize(point, FREE_TAG))["status"] == "Accepted"
    begun = await start(point, FREE_TAG)
    assert begun["idTagInfo"]["status"] == "Accepted"
    assert begun["transactionId"] > 0
    await status(point, "Charging")
    assert await central.connector(station_id) == "Charging"
    await finish(point, begun["transactionId"], idTag=FREE_TAG, reason="Local")
    session = await central.session_of(begun["transactionId"], station_id)
    assert (session["status"], session["energy_kwh"]) == ("completed", "2.000")
    assert session["stop_reason"] == "Local"


async def test_tc_004_1_card_first(central, point, station_id):
    await booted(point)
    assert (await authorize(point, FREE_TAG))["status"] == "Accepted"
    await status(point, "Preparing")
    begun = await start(point, FREE_TAG)
    await finish(point, begun["transactionId"], idTag=FREE_TAG)
    session = await central.session_of(begun["transactionId"], station_id)
    assert session["status"] == "completed"


async def test_tc_004_2_card_first_and_no_cable(central, point, station_id):
    await booted(point)
    await authorize(point, FREE_TAG)
    await status(point, "Preparing")
    await status(point, "Available")
    found = await central.client.get("/ocpp/sessions", params={"station_id": station_id})
    assert found.json()["results"] == []


async def test_tc_005_1_car_pulled_the_plug(central, point, station_id):
    await booted(point)
    transaction_id = await charging(point)
    await status(point, "SuspendedEV")
    await stop(point, transaction_id, reason="EVDisconnected")
    await status(point, "Finishing")
    await status(point, "Available")
    session = await central.session_of(transaction_id, station_id)
    assert (session["status"], session["stop_reason"]) == ("completed", "EVDisconnected")


async def test_tc_007_cached_card(central, point, station_id):
    """A station that knows the card asks nothing before it starts."""
    await booted(point)
    begun = await start(point, FREE_TAG)
    assert begun["idTagInfo"]["status"] == "Accepted"
    assert (await stop(point, begun["transactionId"], idTag=FREE_TAG)) is not None


async def test_tc_010_remote_start_plug_first(central, point, station_id, remote, funded):
    await funded()
    await booted(point)
    await status(point, "Preparing")
    asked = await remote()
    assert asked.status_code == 202, asked.text
    call = await point.expect_call("RemoteStartTransaction")
    assert call["connectorId"] == 1
    assert (await authorize(point, call["idTag"]))["status"] == "Accepted"
    begun = await start(point, call["idTag"])
    assert begun["idTagInfo"]["status"] == "Accepted"
    await status(point, "Charging")
    session = await central.client.get(f"/ocpp/sessions/{asked.json()['id']}")
    assert session.json()["transaction_id"] == begun["transactionId"]
    await finish(point, begun["transactionId"], reason="Remote")


async def test_tc_011_1_remote_start_before_the_plug(central, point, station_id, remote, funded):
    await funded()
    await booted(point)
    await remote(connector_id=1)
    call = await point.expect_call("RemoteStartTransaction")
    await status(point, "Preparing")
    begun = await start(point, call["idTag"])
    assert begun["idTagInfo"]["status"] == "Accepted"
    await finish(point, begun["transactionId"])


async def test_tc_026_remote_start_refused(central, point, station_id, remote, funded):
    await funded()
    point.answers["RemoteStartTransaction"] = {"status": "Rejected"}
    await booted(point)
    asked = await remote(connector_id=1)
    await point.expect_call("RemoteStartTransaction")
    session = await central.settled(asked.json()["id"])
    assert (session["status"], session["error_code"]) == ("error", "station_rejected")
    assert session["cost"] == "0.00"


async def test_remote_start_unanswered(central, point, station_id, remote, funded):
    await funded()
    point.answers["RemoteStartTransaction"] = None
    await booted(point)
    asked = await remote(connector_id=1)
    session = await central.settled(asked.json()["id"])
    assert (session["status"], session["error_code"]) == ("error", "station_timeout")


async def test_tc_012_remote_stop(central, point, station_id, remote, funded):
    await funded()
    await booted(point)
    asked = (await remote(connector_id=1)).json()
    call = await point.expect_call("RemoteStartTransaction")
    begun = await start(point, call["idTag"])
    stopped = await central.client.post("/ocpp/stop_charge", json={"session_id": asked["id"]})
    assert stopped.status_code == 202
    wanted = await point.expect_call("RemoteStopTransaction")
    assert wanted == {"transactionId": begun["transactionId"]}
    await finish(point, begun["transactionId"], reason="Remote", meterStop=2000)
    session = await central.settled(asked["id"])
    assert (session["status"], session["energy_kwh"], session["cost"]) == (
        "completed",
        "1.000",
        "12.50",
    )


async def test_tc_018_1_unlock_ends_the_charge(central, point, station_id):
    await booted(point)
    transaction_id = await charging(point)
    point.answers["UnlockConnector"] = {"status": "Unlocked"}
    row = await central.carry_out(station_id, "UnlockConnector", {"connectorId": 1})
    assert row["response"] == {"status": "Unlocked"}
    await finish(point, transaction_id, reason="UnlockCommand")
    session = await central.session_of(transaction_id, station_id)
    assert session["stop_reason"] == "UnlockCommand"


@pytest.mark.parametrize(("id_tag", "verdict"), VERDICTS.items())
async def test_tc_023_card_that_may_not(point, id_tag, verdict):
    await booted(point)
    assert (await authorize(point, id_tag))["status"] == verdict


@pytest.mark.parametrize(("id_tag", "verdict"), VERDICTS.items())
async def test_tc_037_3_start_by_a_card_that_may_not(central, point, station_id, id_tag, verdict):
    """It gets an id and the verdict; the stop that follows is confirmed, and costs nothing."""
    await booted(point)
    begun = await start(point, id_tag, timestamp=stamp(minutes=5))
    assert begun["idTagInfo"]["status"] == verdict
    assert begun["transactionId"] > 0
    await status(point, "Charging")
    await finish(point, begun["transactionId"], reason="DeAuthorized", meterStop=1000)
    session = await central.session_of(begun["transactionId"], station_id)
    assert (session["status"], session["cost"]) == ("error", "0.00")


async def test_tc_024_lock_failure(central, point, station_id):
    await booted(point)
    await authorize(point, FREE_TAG)
    await status(point, "Preparing")
    await status(point, "Faulted", errorCode="ConnectorLockFailure")
    assert await central.connector(station_id) == "Faulted"


async def test_tc_032_1_power_failure(central, point, station_id):
    """After it the station boots, and stops what the failure cut off."""
    await booted(point)
    transaction_id = await charging(point)
    await point.drop()
    async with central.point(station_id) as again:
        await booted(again)
        await stop(again, transaction_id, reason="PowerLoss", timestamp=stamp(seconds=30))
        session = await central.session_of(transaction_id, station_id)
    assert (session["status"], session["stop_reason"]) == ("completed", "PowerLoss")


async def test_tc_034_unavailable_after_a_power_failure(central, point, station_id):
    await booted(point)
    await status(point, "Unavailable")
    await point.drop()
    async with central.point(station_id) as again:
        await again.boot()
        await status(again, "Unavailable")
        assert await central.connector(station_id) == "Unavailable"


async def test_tc_037_1_offline_start(central, point, station_id):
    await booted(point)
    begun = await start(point, FREE_TAG, timestamp=stamp(minutes=10))
    assert begun["idTagInfo"]["status"] == "Accepted"
    await status(point, "Charging")
    await finish(point, begun["transactionId"])
    session = await central.session_of(begun["transactionId"], station_id)
    assert (session["status"], session["energy_kwh"]) == ("completed", "2.000")


async def test_tc_039_whole_charge_offline(central, point, station_id):
    await booted(point)
    begun = await start(point, FREE_TAG, timestamp=stamp(minutes=30))
    await stop(point, begun["transactionId"], timestamp=stamp(minutes=5), reason="Local")
    session = await central.session_of(begun["transactionId"], station_id)
    assert (session["status"], session["energy_kwh"]) == ("completed", "2.000")


async def test_an_offline_charge_told_twice_is_one(central, point, station_id):
    await booted(point)
    at = stamp(minutes=30)
    first = await start(point, FREE_TAG, timestamp=at)
    again = await start(point, FREE_TAG, timestamp=at)
    assert again["transactionId"] == first["transactionId"]
    for _ in range(2):
        await stop(point, first["transactionId"], timestamp=stamp(minutes=5))
    found = await central.client.get("/ocpp/sessions", params={"station_id": station_id})
    assert len(found.json()["results"]) == 1


async def test_tc_064_data_transfer(point):
    answer = await point.call("DataTransfer", {"vendorId": "org.example", "messageId": "x"})
    assert answer["status"] in ("UnknownVendorId", "UnknownMessageId")


async def test_tc_068_stop_with_the_same_card(central, point, station_id):
    await booted(point)
    transaction_id = await charging(point)
    answer = await stop(point, transaction_id, idTag=FREE_TAG, reason="Local")
    assert answer["idTagInfo"]["status"] == "Accepted"


async def test_tc_069_stop_with_a_card_of_the_group(central, point, station_id):
    await booted(point)
    assert (await authorize(point, MASTER_TAG))["parentIdTag"] == MASTER_GROUP
    begun = await start(point, MASTER_TAG)
    assert begun["idTagInfo"]["parentIdTag"] == MASTER_GROUP
    info = await authorize(point, GROUP_TAG)
    assert info == {"status": "Accepted", "parentIdTag": MASTER_GROUP}
    answer = await stop(point, begun["transactionId"], idTag=GROUP_TAG, reason="Local")
    assert answer["idTagInfo"] == {"status": "Accepted", "parentIdTag": MASTER_GROUP}


async def test_tc_070_sampled_values(central, point, station_id):
    await booted(point)
    transaction_id = await charging(point)
    for register in (1400, 1900):
        assert await point.call("MeterValues", sampled(register, transaction_id)) == {}
    session = await central.session_of(transaction_id, station_id)
    assert (session["status"], session["energy_kwh"]) == ("charging", "0.900")


async def test_tc_071_clock_aligned_values_of_no_transaction(point):
    await booted(point)
    values = sampled(1000, None, context="Sample.Clock")
    assert await point.call("MeterValues", values) == {}


def sampled(register, transaction_id, context="Sample.Periodic"):
    value = {"value": str(register), "context": context, "unit": "Wh"}
    payload = {
        "connectorId": 1,
        "meterValue": [{"timestamp": stamp(), "sampledValue": [value]}],
    }
    return payload if transaction_id is None else payload | {"transactionId": transaction_id}


@pytest.mark.parametrize("transaction_id", [0, -1, 2_000_000_000])
async def test_a_stop_of_no_transaction_is_confirmed(point, transaction_id):
    await booted(point)
    assert (await stop(point, transaction_id)) is not None


async def test_a_stop_of_another_stations_transaction_stops_nothing(central, point, station_id):
    await booted(point)
    transaction_id = await charging(point)
    other = await central.declare()
    async with central.point(other) as stranger:
        await booted(stranger)
        await stop(stranger, transaction_id, meterStop=900_000)
    session = await central.session_of(transaction_id, station_id)
    assert session["status"] == "charging"
    await finish(point, transaction_id)


async def test_a_stop_below_the_start_costs_nothing(central, point, station_id):
    await booted(point)
    transaction_id = await charging(point)
    await finish(point, transaction_id, meterStop=0)
    session = await central.session_of(transaction_id, station_id)
    assert (session["energy_kwh"], session["cost"]) == ("0.000", "0.00")
