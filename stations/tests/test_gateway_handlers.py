"""Exact frames: what each call of a station is answered, and what is stored before that."""

import datetime as dt
import json
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async

from sessions_app.models import ChargingSession, IdTag, Orphan, Reading
from stations.models import Connector, ConnectorStatus, Frame, Station

AT = "2026-11-24T06:00:00Z"


@pytest.fixture
def card(transactional_db, alice):
    return IdTag.objects.create(id_tag="CARD1", identity="card1", user=alice)


async def rows(queryset):
    return await sync_to_async(list)(queryset)


def start(**changes):
    return {"connectorId": 1, "idTag": "CARD1", "meterStart": 1000, "timestamp": AT, **changes}


def sample(value="1500", at="2026-11-24T06:01:00Z", **more):
    return {"timestamp": at, "sampledValue": [{"value": value, **more}]}


async def test_boot_is_accepted_and_says_what_the_station_is(plug_in, k1):
    station = await plug_in()
    reply = await station.ask(
        "BootNotification",
        {
            "chargePointVendor": "ABB",
            "chargePointModel": "Terra",
            "chargePointSerialNumber": "S1",
            "firmwareVersion": "1.2",
            "iccid": "",
        },
        message_id="b1",
    )
    assert reply[:2] == [3, "b1"]
    assert set(reply[2]) == {"currentTime", "interval", "status"}
    assert (reply[2]["status"], reply[2]["interval"]) == ("Accepted", 60)
    assert dt.datetime.fromisoformat(reply[2]["currentTime"]).tzinfo is not None
    row = await Station.objects.aget(pk=k1.pk)
    assert (row.vendor, row.model, row.serial_number, row.firmware_version) == (
        "ABB",
        "Terra",
        "S1",
        "1.2",
    )
    assert row.booted_at is not None


@pytest.mark.parametrize("registration", ["Pending", "Rejected"])
async def test_boot_of_a_station_that_is_not_accepted(plug_in, k1, registration):
    await Station.objects.filter(pk=k1.pk).aupdate(registration=registration)
    station = await plug_in()
    assert (await station.boot())["status"] == registration
    assert (await Station.objects.aget(pk=k1.pk)).booted_at is None


async def test_heartbeat_is_answered_with_the_time(plug_in, k1):
    station = await plug_in()
    assert set(await station.call("Heartbeat", {})) == {"currentTime"}


async def test_authorize_compares_tags_without_case(plug_in, k1, card):
    station = await plug_in()
    for id_tag, status in (("CARD1", "Accepted"), ("card1", "Accepted"), ("CARD2", "Invalid")):
        answer = await station.call("Authorize", {"idTag": id_tag})
        assert answer == {"idTagInfo": {"status": status}}


async def test_a_tag_with_a_zero_character_is_invalid(plug_in, k1, card):
    station = await plug_in()
    answer = await station.call("Authorize", {"idTag": "CARD1\0"})
    assert answer == {"idTagInfo": {"status": "Invalid"}}


async def test_a_status_adds_an_undeclared_connector_and_is_history(plug_in, k1):
    station = await plug_in()
    status = {
        "connectorId": 3,
        "status": "Faulted",
        "errorCode": "GroundFailure",
        "info": "wet",
        "vendorErrorCode": "E7",
        "timestamp": AT,
    }
    assert await station.call("StatusNotification", status) == {}
    connector = await Connector.objects.aget(station=k1, connector_id=3)
    assert (connector.status, connector.error_code) == ("Faulted", "GroundFailure")
    history = await ConnectorStatus.objects.aget(station=k1, connector_id=3)
    assert (history.info, history.vendor_error_code, history.at.isoformat()) == (
        "wet",
        "E7",
        "2026-11-24T06:00:00+00:00",
    )


async def test_connector_0_is_the_station_and_no_connector(plug_in, k1):
    station = await plug_in()
    await station.call(
        "StatusNotification", {"connectorId": 0, "status": "Available", "errorCode": "NoError"}
    )
    assert not await Connector.objects.filter(station=k1, connector_id=0).aexists()
    assert await ConnectorStatus.objects.filter(station=k1, connector_id=0).acount() == 1


async def test_a_replayed_older_status_is_history_only(plug_in, k1):
    station = await plug_in()
    for status, at in (("Charging", "2026-11-24T06:10:00Z"), ("Preparing", AT)):
        await station.call(
            "StatusNotification",
            {"connectorId": 1, "status": status, "errorCode": "NoError", "timestamp": at},
        )
    assert (await Connector.objects.aget(station=k1, connector_id=1)).status == "Charging"
    assert await ConnectorStatus.objects.filter(station=k1, connector_id=1).acount() == 2


async def test_first_statuses_in_parallel_make_each_connector_once(plug_in, k1):
    await Connector.objects.filter(station=k1).adelete()
    station = await plug_in()
    for number in range(10):
        await station.send_frame(
            [
                2,
                f"s{number}",
                "StatusNotification",
                {"connectorId": number % 3, "status": "Available", "errorCode": "NoError"},
            ]
        )
    await station.call("DataTransfer", {"vendorId": "last"})
    numbers = [row.connector_id for row in await rows(Connector.objects.filter(station=k1))]
    assert numbers == [1, 2]


async def test_a_charge_by_tag_from_start_to_stop(plug_in, k1, card):
    station = await plug_in()
    started = await station.call("StartTransaction", start())
    transaction_id = started["transactionId"]
    assert started == {"transactionId": transaction_id, "idTagInfo": {"status": "Accepted"}}
    values = {"connectorId": 1, "transactionId": transaction_id, "meterValue": [sample()]}
    assert await station.call("MeterValues", values) == {}
    reading = await Reading.objects.aget(session__transaction_id=transaction_id, register_wh=1500)
    frame = await rows(Frame.objects.filter(action="MeterValues"))
    assert not frame or reading.frame_id == frame[0].pk
    stopped = await station.call(
        "StopTransaction",
        {
            "transactionId": transaction_id,
            "meterStop": 2000,
            "timestamp": "2026-11-24T06:02:00Z",
            "idTag": "card1",
            "reason": "EVDisconnected",
        },
    )
    assert stopped == {"idTagInfo": {"status": "Accepted"}}
    session = await ChargingSession.objects.aget(transaction_id=transaction_id)
    assert (session.status, session.energy_wh, session.cost_minor) == ("completed", 1000, 1250)


async def test_a_reply_is_sent_only_after_the_commit(plug_in, k1, card):
    """What the reply promises is in the rows the moment that the station has it (P4)."""
    station = await plug_in()
    for number in range(5):
        started = await station.call("StartTransaction", start(meterStart=number))
        found = ChargingSession.objects.filter(transaction_id=started["transactionId"])
        assert await found.aexists()


async def test_repeated_start_gets_the_original_answer(plug_in, k1, card):
    station = await plug_in()
    first = await station.call("StartTransaction", start(), message_id="1")
    again = await station.call("StartTransaction", start(), message_id="1")
    other_id = await station.call("StartTransaction", start(), message_id="2")
    assert first == again == other_id
    assert await ChargingSession.objects.acount() == 1


async def test_message_ids_that_restart_mean_nothing(plug_in, k1, card):
    station = await plug_in()
    first = await station.call("StartTransaction", start(), message_id="1")
    stop = {"transactionId": first["transactionId"], "meterStop": 1200, "timestamp": AT}
    await station.call("StopTransaction", stop, message_id="2")
    await station.close()
    station = await plug_in()
    later = start(timestamp="2026-11-24T07:00:00Z", meterStart=1200)
    second = await station.call("StartTransaction", later, message_id="1")
    assert second["transactionId"] != first["transactionId"]
    assert await ChargingSession.objects.acount() == 2


async def test_two_stops_within_10_ms_charge_once(plug_in, k1, card):
    station = await plug_in()
    started = await station.call("StartTransaction", start())
    stop = {"transactionId": started["transactionId"], "meterStop": 3000, "timestamp": AT}
    await station.send_frame([2, "x1", "StopTransaction", {**stop, "reason": "Local"}])
    await station.send_frame([2, "x2", "StopTransaction", stop])
    await station.call("DataTransfer", {"vendorId": "last"})
    assert [3, "x1", {}] in station.frames
    assert [3, "x2", {}] in station.frames
    session = await ChargingSession.objects.aget()
    assert (session.cost_minor, session.status) == (2500, "completed")


@pytest.mark.parametrize("transaction_id", [0, -1, 999_999])
async def test_a_stop_of_an_unknown_transaction_is_confirmed_and_kept(plug_in, k1, transaction_id):
    station = await plug_in()
    stop = {"transactionId": transaction_id, "meterStop": 1, "timestamp": AT}
    assert await station.call("StopTransaction", stop) == {}
    assert (await Orphan.objects.aget()).kind == "stop"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"transactionId": "many", "meterStop": 1, "timestamp": AT},
        {"transactionId": [1], "meterStop": None, "timestamp": "yesterday"},
    ],
)
async def test_a_stop_that_cannot_be_read_is_confirmed_and_kept_once(plug_in, k1, payload):
    station = await plug_in()
    for message_id in ("1", "2"):
        reply = await station.ask("StopTransaction", payload, message_id=message_id)
        assert reply == [3, message_id, {}]
    orphan = await Orphan.objects.aget()
    assert json.loads(orphan.payload["frame"])[3] == payload


@pytest.mark.parametrize(
    "text",
    [
        '[2,"s","StopTransaction"]',
        '[2,"s","StopTransaction",[]]',
        '[2,"s","StopTransaction",{"transactionId":NaN}]',
        '[2,"s","StopTransaction",' + "[" * 100_000,
    ],
)
async def test_a_stop_in_a_broken_frame_is_confirmed_and_kept(plug_in, k1, text):
    station = await plug_in()
    assert await station.exchange(text, "s") == [3, "s", {}]
    assert (await Orphan.objects.aget()).kind == "stop"


async def test_a_stop_that_breaks_its_schema_still_ends_the_charge(plug_in, k1, card):
    station = await plug_in()
    started = await station.call("StartTransaction", start())
    stop = {
        "transactionId": str(started["transactionId"]),
        "meterStop": "2000.5",
        "timestamp": "yesterday",
        "reason": "NoReasonThatExists",
        "more": 1,
    }
    assert await station.call("StopTransaction", stop) == {}
    session = await ChargingSession.objects.aget()
    assert (session.status, session.meter_stop_wh) == ("completed", Decimal("2000.5"))


async def test_a_start_that_breaks_its_schema_is_applied_and_refused(plug_in, k1, card):
    station = await plug_in()
    reply = await station.ask("StartTransaction", start(meterStart="1000"), message_id="s")
    assert reply[:3] == [4, "s", "TypeConstraintViolation"]
    assert (await ChargingSession.objects.aget()).status == "charging"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"timestamp": "yesterday"}, "PropertyConstraintViolation"),
        ({"timestamp": "2026-02-30T00:00:00Z"}, "PropertyConstraintViolation"),
        ({"connectorId": -1}, "PropertyConstraintViolation"),
        ({"meterStart": "much"}, "TypeConstraintViolation"),
        ({"idTag": 5}, "TypeConstraintViolation"),
    ],
)
async def test_a_start_that_cannot_be_read_is_kept_and_refused(plug_in, k1, card, changes, code):
    station = await plug_in()
    for message_id in ("1", "2"):
        reply = await station.ask("StartTransaction", start(**changes), message_id=message_id)
        assert reply[:3] == [4, message_id, code]
    assert (await Orphan.objects.aget()).kind == "start"
    assert not await ChargingSession.objects.aexists()


async def test_a_lenient_station_gets_a_confirmation(plug_in, k1, card):
    await Station.objects.filter(pk=k1.pk).aupdate(is_lenient=True)
    station = await plug_in()
    unread = await station.call("StartTransaction", start(timestamp="yesterday"))
    assert unread["idTagInfo"] == {"status": "Invalid"}
    assert unread["transactionId"] > 0
    read = await station.call("StartTransaction", start(meterStart="1000"))
    assert read["idTagInfo"] == {"status": "Accepted"}
    assert await station.call("MeterValues", {"connectorId": "x"}) == {}
    assert await station.call("StatusNotification", {"connectorId": 1, "status": "Charging"}) == {}
    assert (await station.ask("Heartbeat", {"more": 1}))[0] == 3


async def test_meter_values_that_break_the_schema_are_applied_and_refused(plug_in, k1, card):
    station = await plug_in()
    started = await station.call("StartTransaction", start())
    reply = await station.ask(
        "MeterValues",
        {
            "connectorId": 1,
            "transactionId": started["transactionId"],
            "meterValue": [sample(1700), sample("1800", at="yesterday")],
        },
    )
    assert reply[0] == 4
    assert reply[2] == "TypeConstraintViolation"
    assert await Reading.objects.filter(register_wh=1700).aexists()
    assert (await Orphan.objects.aget()).kind == "readings"


async def test_one_bad_sample_does_not_lose_the_message(plug_in, k1, card):
    station = await plug_in()
    started = await station.call("StartTransaction", start())
    values = {
        "connectorId": 1,
        "transactionId": started["transactionId"],
        "meterValue": [sample("much"), sample("1800", at="2026-11-24T06:02:00Z")],
    }
    assert await station.call("MeterValues", values) == {}
    assert (await ChargingSession.objects.aget()).energy_wh == 800
    assert (await Reading.objects.aget(register_wh=None)).flags == ["unreadable"]


async def test_a_stop_with_megabytes_of_data_is_handled(plug_in, k1, card):
    station = await plug_in()
    started = await station.call("StartTransaction", start())
    begun = dt.datetime(2026, 11, 24, 6, tzinfo=dt.UTC)
    data = [
        sample(
            str(1000 + n), (begun + dt.timedelta(seconds=n)).isoformat(), context="Sample.Periodic"
        )
        for n in range(1, 10_001)
    ]
    stop = {
        "transactionId": started["transactionId"],
        "meterStop": 11_000,
        "timestamp": "2026-11-24T09:00:00Z",
        "transactionData": data,
    }
    assert len(json.dumps(stop)) > 1_000_000
    assert await station.ask("StopTransaction", stop, message_id="big", within=60) == [3, "big", {}]
    assert (await ChargingSession.objects.aget()).energy_wh == 10_000


async def test_data_transfer_is_for_no_vendor(plug_in, k1):
    station = await plug_in()
    assert await station.call("DataTransfer", {"vendorId": "x"}) == {"status": "UnknownVendorId"}


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("DiagnosticsStatusNotification", {"status": "Idle"}, {}),
        ("FirmwareStatusNotification", {"status": "Installed"}, {}),
        ("LogStatusNotification", {"status": "Uploaded", "requestId": 1}, {}),
        ("SecurityEventNotification", {"type": "StartupOfTheDevice", "timestamp": AT}, {}),
        ("SignedFirmwareStatusNotification", {"status": "Installed", "requestId": 1}, {}),
        ("SignCertificate", {"csr": "-----BEGIN"}, {"status": "Rejected"}),
    ],
)
async def test_every_other_call_of_a_station_is_confirmed(plug_in, k1, action, payload, answer):
    station = await plug_in()
    assert await station.call(action, payload) == answer


async def test_a_station_that_is_not_accepted_cannot_use_tags(plug_in, k1, card):
    await Station.objects.filter(pk=k1.pk).aupdate(registration="Pending")
    station = await plug_in()
    authorized = await station.call("Authorize", {"idTag": "CARD1"})
    assert authorized == {"idTagInfo": {"status": "Invalid"}}
    assert (await station.ask("StartTransaction", start()))[2] == "SecurityError"
    assert not await ChargingSession.objects.aexists()
