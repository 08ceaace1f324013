"""OCPP 1.6 conformance cases for a central system, as a suite outside plays them.

The station is raw, and the operator has the API only. Numbers are those of the test cases of the
certification programme; beside each answer that is expected stand those that are not.
"""

import asyncio
import datetime as dt
import time

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from sessions_app.models import ChargingSession
from stations import keys
from stations.models import Connector, Station
from stations.tests.cast import signed_in
from stations.tests.in_process import Denied

KEY = "0123456789abcdef0123456789abcdef01234567"
COMMANDS = "/ocpp/stations/K-1/commands"
PROXY = {"headers": {"X-Forwarded-Proto": "https"}, "client": "10.0.0.9"}
OVER = {"answered", "failed", "timed_out", "expired"}


@pytest.fixture
def k1(k1):
    """K-1 that Kubat does not set up: a suite counts the calls that it gets."""
    k1.is_provisioned = False
    k1.save()
    return k1


class Operator:
    """Sends commands over HTTP and follows them to their end."""

    def __init__(self, olga):
        self.client = signed_in(olga)

    async def post(self, action, payload):
        asked = {"action": action, "payload": payload}
        return await sync_to_async(self.client.post)(COMMANDS, asked)

    async def start(self, action, payload):
        answer = await self.post(action, payload)
        assert answer.status_code == 202, answer.json()
        return answer.json()["id"]

    async def outcome(self, command_id, within_s=10):
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            answer = await sync_to_async(self.client.get)(f"/ocpp/commands/{command_id}")
            if answer.json()["status"] in OVER:
                return answer.json()
            await asyncio.sleep(0.02)
        raise AssertionError("the command has not ended")

    async def send(self, action, payload):
        return await self.outcome(await self.start(action, payload))

    async def change(self, **facts):
        path = "/ocpp/stations/K-1"
        return await sync_to_async(self.client.patch)(path, facts)


@pytest.fixture
def operator(k1, olga):
    return Operator(olga)


async def status(station, name, connector_id=1):
    now = timezone.now().isoformat()
    payload = {"connectorId": connector_id, "errorCode": "NoError", "status": name}
    assert await station.call("StatusNotification", payload | {"timestamp": now}) == {}


async def start(station, id_tag="CARD1", connector_id=1):
    payload = {"connectorId": connector_id, "idTag": id_tag, "meterStart": 0}
    return await station.call("StartTransaction", payload | {"timestamp": now()})


async def stop(station, transaction_id, **more):
    payload = {"transactionId": transaction_id, "meterStop": 10, "timestamp": now()}
    return await station.call("StopTransaction", payload | more)


def now():
    return timezone.now().isoformat()


# --- 013, 014: reset ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Hard", "Soft"])
async def test_013_014_reset_and_boot_again(plug_in, operator, kind):
    station = await plug_in(answers={"Reset": {"status": "Accepted"}})
    await station.boot()
    outcome = await operator.send("Reset", {"type": kind})
    assert (outcome["status"], outcome["response"]) == ("answered", {"status": "Accepted"})
    assert station.calls == [("Reset", {"type": kind})]
    await station.close()
    station = await plug_in()
    assert (await station.boot())["status"] == "Accepted"
    for connector_id in (0, 1, 2):
        await status(station, "Available", connector_id)
    assert set(await station.call("Heartbeat", {})) == {"currentTime"}


async def test_014_a_soft_reset_ends_the_transaction_first(plug_in, operator):
    station = await plug_in(answers={"Reset": {"status": "Accepted"}})
    await station.boot()
    transaction_id = (await start(station))["transactionId"]
    await operator.send("Reset", {"type": "Soft"})
    await stop(station, transaction_id, reason="SoftReset")
    session = await ChargingSession.objects.aget(transaction_id=transaction_id)
    assert session.stop_received_at is not None


async def test_a_reset_that_cuts_the_socket_is_disconnected_and_not_repeated(plug_in, operator):
    station = await plug_in(answers={"Reset": None})
    await station.boot()
    command_id = await operator.start("Reset", {"type": "Hard"})
    await station.expect_call("Reset")
    await station.close()
    outcome = await operator.outcome(command_id)
    assert (outcome["status"], outcome["error"]["code"]) == ("failed", "disconnected")
    station = await plug_in()
    await station.boot()
    await operator.send("ClearCache", {})
    assert [action for action, _ in station.calls] == ["ClearCache"]


# --- 017, 018, 030, 031: unlock -----------------------------------------------------------------


@pytest.mark.parametrize("answer", ["Unlocked", "UnlockFailed", "NotSupported"])
async def test_017_030_031_unlock_without_a_charge(plug_in, operator, answer):
    station = await plug_in(answers={"UnlockConnector": {"status": answer}})
    await station.boot()
    outcome = await operator.send("UnlockConnector", {"connectorId": 1})
    assert (outcome["status"], outcome["response"]) == ("answered", {"status": answer})
    assert station.calls == [("UnlockConnector", {"connectorId": 1})]


async def test_031_a_connector_that_the_station_does_not_have(plug_in, operator):
    station = await plug_in(answers={"UnlockConnector": {"status": "NotSupported"}})
    await station.boot()
    outcome = await operator.send("UnlockConnector", {"connectorId": 42})
    assert outcome["response"] == {"status": "NotSupported"}
    assert await Connector.objects.filter(connector_id=42).acount() == 0


async def test_018_unlock_ends_the_charge_and_the_stop_is_confirmed(plug_in, operator):
    station = await plug_in(answers={"UnlockConnector": {"status": "Unlocked"}})
    await station.boot()
    transaction_id = (await start(station))["transactionId"]
    await operator.send("UnlockConnector", {"connectorId": 1})
    await stop(station, transaction_id, reason="UnlockCommand")
    assert [action for action, _ in station.calls if action == "UnlockConnector"]
    session = await ChargingSession.objects.aget(transaction_id=transaction_id)
    assert session.stop_received_at is not None


# --- 019, 021, 040: configuration -----------------------------------------------------------------


async def test_019_all_keys_and_one_key(plug_in, operator, k1):
    held = {
        "HeartbeatInterval": {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
        "SupportedFeatureProfiles": {
            "key": "SupportedFeatureProfiles",
            "readonly": True,
            "value": "Core,Reservation",
        },
    }

    def answer(payload):
        names = payload.get("key", held)
        return {
            "configurationKey": [held[name] for name in names if name in held],
            "unknownKey": [name for name in names if name not in held],
        }

    station = await plug_in(answers={"GetConfiguration": answer})
    await station.boot()
    everything = await operator.send("GetConfiguration", {})
    assert everything["response"] == answer({})
    one = await operator.send("GetConfiguration", {"key": ["SupportedFeatureProfiles", "Nonsense"]})
    assert one["response"]["unknownKey"] == ["Nonsense"]
    assert [payload for _, payload in station.calls] == [
        {},
        {"key": ["SupportedFeatureProfiles", "Nonsense"]},
    ]
    row = await Station.objects.aget(pk=k1.pk)
    assert row.supports("Reservation") is True
    assert row.supports("SmartCharging") is False
    assert row.configuration["Nonsense"] == {"unknown": True}


@pytest.mark.parametrize("answer", ["Accepted", "RebootRequired", "Rejected", "NotSupported"])
async def test_021_040_change_a_key(plug_in, operator, k1, answer):
    station = await plug_in(answers={"ChangeConfiguration": {"status": answer}})
    await station.boot()
    change = {"key": "MeterValueSampleInterval", "value": "-1"}
    outcome = await operator.send("ChangeConfiguration", change)
    assert (outcome["status"], outcome["response"]) == ("answered", {"status": answer})
    assert station.calls == [("ChangeConfiguration", change)]
    entry = (await Station.objects.aget(pk=k1.pk)).configuration["MeterValueSampleInterval"]
    is_taken = answer in {"Accepted", "RebootRequired"}
    assert (entry.get("value"), entry.get("refused")) == (
        ("-1", None) if is_taken else (None, answer)
    )
    assert entry.get("reboot") is (True if answer == "RebootRequired" else None)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "Done"},
        {},
        {"status": None},
        ["FormationViolation", "a number is required"],
    ],
)
async def test_an_answer_that_is_none_changes_nothing(plug_in, operator, k1, answer):
    station = await plug_in(answers={"ChangeConfiguration": answer})
    await station.boot()
    change = {"key": "HeartbeatInterval", "value": "60"}
    outcome = await operator.send("ChangeConfiguration", change)
    assert (outcome["status"], outcome["response"]) == ("failed", None)
    entry = (await Station.objects.aget(pk=k1.pk)).configuration["HeartbeatInterval"]
    assert "value" not in entry


@pytest.mark.parametrize(
    "answer",
    [
        {"configurationKey": [{"readonly": False, "value": "5"}]},
        {"configurationKey": ["A"]},
        {"configurationKey": [{"key": "A" * 51, "readonly": False}]},
        {"configurationKey": [{"key": "A", "readonly": False, "value": ["5"]}]},
        {"configurationKey": [{"key": "A", "readonly": False, "note": "?"}]},
        {"configurationKey": "A"},
        {"unknownKey": [1]},
    ],
)
async def test_a_report_that_breaks_its_schema_is_not_believed(plug_in, operator, k1, answer):
    station = await plug_in(answers={"GetConfiguration": answer})
    await station.boot()
    outcome = await operator.send("GetConfiguration", {})
    assert (outcome["status"], outcome["error"]["code"]) == ("failed", "invalid_response")
    assert (await Station.objects.aget(pk=k1.pk)).configuration == {}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"value": None, "readonly": True}, {"value": None, "readonly": True}),
        ({"value": 5, "readonly": False}, {"value": "5", "readonly": False}),
        ({"value": 0.5, "readonly": "true"}, {"value": "0.5", "readonly": True}),
        ({"value": True}, {"value": "true", "readonly": False}),
        ({"value": "x" * 9_000, "readonly": "no"}, {"value": "x" * 500, "readonly": False}),
    ],
)
async def test_a_report_that_is_nearly_right_is_understood(plug_in, operator, k1, said, meant):
    """One key that is spelled in another way does not cost all the others."""
    right = {"key": "SupportedFeatureProfiles", "readonly": True, "value": "Core"}
    answer = {"configurationKey": [right, {"key": "VendorKey", **said}], "unknownKey": None}
    if said["value"] is not None:
        del answer["unknownKey"]
    station = await plug_in(answers={"GetConfiguration": answer})
    await station.boot()
    outcome = await operator.send("GetConfiguration", {})
    assert (outcome["status"], outcome["response"]) == ("answered", answer)
    row = await Station.objects.aget(pk=k1.pk)
    assert row.configuration["VendorKey"] == meant
    assert row.supports("Core") is True


# --- 054, 055, 061, 064: trigger, cache, data -----------------------------------------------------


@pytest.mark.parametrize(
    ("message", "connector_id"),
    [
        ("MeterValues", 1),
        ("Heartbeat", None),
        ("StatusNotification", 1),
        ("DiagnosticsStatusNotification", None),
        ("FirmwareStatusNotification", None),
        ("BootNotification", None),
    ],
)
async def test_054_a_triggered_message_is_answered(plug_in, operator, message, connector_id):
    payloads = {
        "MeterValues": {
            "connectorId": 1,
            "meterValue": [{"timestamp": now(), "sampledValue": [{"value": "7"}]}],
        },
        "StatusNotification": {"connectorId": 1, "errorCode": "NoError", "status": "Available"},
        "DiagnosticsStatusNotification": {"status": "Idle"},
        "FirmwareStatusNotification": {"status": "Idle"},
        "BootNotification": {"chargePointVendor": "Bare", "chargePointModel": "Station"},
    }
    station = await plug_in(answers={"TriggerMessage": {"status": "Accepted"}})
    await station.boot()
    trigger = {"requestedMessage": message}
    trigger |= {"connectorId": connector_id} if connector_id is not None else {}
    assert (await operator.send("TriggerMessage", trigger))["response"] == {"status": "Accepted"}
    assert station.calls == [("TriggerMessage", trigger)]
    assert isinstance(await station.call(message, payloads.get(message, {})), dict)


@pytest.mark.parametrize("answer", ["Rejected", "NotImplemented"])
async def test_055_a_trigger_that_is_refused(plug_in, operator, answer):
    station = await plug_in(answers={"TriggerMessage": {"status": answer}})
    await station.boot()
    trigger = {"requestedMessage": "MeterValues", "connectorId": 1}
    assert (await operator.send("TriggerMessage", trigger))["response"] == {"status": answer}


@pytest.mark.parametrize("answer", ["Accepted", "Rejected"])
async def test_061_clear_the_cache(plug_in, operator, answer):
    station = await plug_in(answers={"ClearCache": {"status": answer}})
    await station.boot()
    assert (await operator.send("ClearCache", {}))["response"] == {"status": answer}


@pytest.mark.parametrize("answer", ["Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"])
async def test_data_goes_to_the_station(plug_in, operator, answer):
    station = await plug_in(answers={"DataTransfer": {"status": answer, "data": "ok"}})
    await station.boot()
    asked = {"vendorId": "org.example", "messageId": "m", "data": "d"}
    outcome = await operator.send("DataTransfer", asked)
    assert outcome["response"] == {"status": answer, "data": "ok"}
    assert station.calls == [("DataTransfer", asked)]


async def test_064_data_of_an_unknown_vendor_is_answered(plug_in, operator):
    station = await plug_in()
    await station.boot()
    reply = await station.call("DataTransfer", {"vendorId": "org.example", "data": "{}"})
    assert reply == {"status": "UnknownVendorId"}
    refused = await station.ask("DataTransfer", {"data": "no vendor"})
    assert refused[:1] == [4]


# --- Availability ---------------------------------------------------------------------------------


@pytest.mark.parametrize("connector_id", [0, 1])
@pytest.mark.parametrize("answer", ["Accepted", "Scheduled", "Rejected"])
async def test_availability_of_a_connector_and_of_the_station(
    plug_in, operator, connector_id, answer
):
    station = await plug_in(answers={"ChangeAvailability": {"status": answer}})
    await station.boot()
    for kind, state in (("Inoperative", "Unavailable"), ("Operative", "Available")):
        asked = {"connectorId": connector_id, "type": kind}
        outcome = await operator.send("ChangeAvailability", asked)
        assert outcome["response"] == {"status": answer}
        if answer == "Accepted":
            await status(station, state, 1)
            connector = await Connector.objects.aget(connector_id=1)
            assert connector.status == state
    assert len(station.calls) == 2


async def test_a_scheduled_change_lets_the_charge_end_first(plug_in, operator):
    station = await plug_in(answers={"ChangeAvailability": {"status": "Scheduled"}})
    await station.boot()
    transaction_id = (await start(station))["transactionId"]
    asked = {"connectorId": 1, "type": "Inoperative"}
    assert (await operator.send("ChangeAvailability", asked))["response"]["status"] == "Scheduled"
    await stop(station, transaction_id)
    await status(station, "Unavailable")
    assert (await Connector.objects.aget(connector_id=1)).status == "Unavailable"


# --- 073, 083, 085, 088: keys, profiles, subprotocols ---------------------------------------------


async def opens(plug_in, *arguments, **options):
    """The status of a handshake: 101 where it opened."""
    try:
        station = await plug_in(*arguments, **options)
    except Denied as denied:
        return denied.status
    await station.close()
    return 101


async def test_073_a_password_is_updated(plug_in, operator, k1):
    await Station.objects.filter(pk=k1.pk).aupdate(security_profile=1, key_digest=keys.digest(KEY))
    station = await plug_in(key=KEY)
    await station.boot()
    new = KEY[::-1]
    change = {"key": "AuthorizationKey", "value": new}
    assert (await operator.send("ChangeConfiguration", change))["status"] == "answered"
    assert station.calls == [("ChangeConfiguration", change)]
    assert set(await station.call("Heartbeat", {})) == {"currentTime"}  # the socket stays
    await station.close()
    assert [await opens(plug_in, key=key) for key in (KEY, new)] == [401, 101]


async def test_083_the_security_profile_rises_with_the_first_connection(
    plug_in, operator, k1, settings
):
    settings.CSMS_TRUSTED_PROXIES = ["10.0.0.0/24"]
    station = await plug_in()
    await station.boot()
    for key, value in (("AuthorizationKey", KEY), ("SecurityProfile", "1")):
        await operator.send("ChangeConfiguration", {"key": key, "value": value})
    await station.close()
    assert await opens(plug_in) == 101  # nothing has changed for handshakes yet
    assert await opens(plug_in, key=KEY) == 101
    assert await opens(plug_in) == 401
    assert await opens(plug_in, key=KEY, **PROXY) == 101
    assert await opens(plug_in, key=KEY) == 401
    answer = await operator.change(security_profile=1)
    assert answer.json()["security_profile"] == 1
    assert await opens(plug_in, key=KEY) == 101


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"key": KEY}, 101),
        ({"key": KEY.upper()}, 101),
        ({"key": KEY[:-1]}, 401),
        ({"key": KEY + "0"}, 401),
        ({"key": KEY, "user": "K-2"}, 401),
        ({"key": KEY, "user": ""}, 401),
        ({}, 401),
    ],
)
async def test_085_basic_authentication(plug_in, k1, options, status):
    await Station.objects.filter(pk=k1.pk).aupdate(security_profile=1, key_digest=keys.digest(KEY))
    assert await opens(plug_in, **options) == status


@pytest.mark.parametrize(
    ("offered", "status"),
    [
        (("ocpp1.6",), 101),
        (("ocpp1.6", "ocpp1.5"), 101),
        (("ocpp0.1",), 400),
        (("OCPP1.6",), 400),
        ((), 400),
    ],
)
async def test_088_subprotocols(plug_in, k1, offered, status):
    assert await opens(plug_in, subprotocols=offered) == status


# --- What is asked of a station that cannot hear ------------------------------------------------


async def test_a_station_that_is_away_is_told_as_such(plug_in, operator):
    station = await plug_in()
    await station.close()
    answer = await operator.post("ClearCache", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "station_offline")


async def test_a_raw_start_makes_no_session_and_its_transaction_is_a_known_tag_start(
    plug_in, operator, alice
):
    station = await plug_in()
    await station.boot()
    await sync_to_async(operator.client.post)(
        "/ocpp/id_tags", {"id_tag": "CARD1", "user_id": str(alice.pk), "status": "Accepted"}
    )
    outcome = await operator.send("RemoteStartTransaction", {"idTag": "CARD1", "connectorId": 1})
    assert outcome["response"] == {"status": "Accepted"}
    assert not await ChargingSession.objects.aexists()
    started = await start(station)
    session = await ChargingSession.objects.aget()
    assert (session.origin, session.user_id) == ("tag", alice.pk)
    await operator.send("RemoteStopTransaction", {"transactionId": started["transactionId"]})
    await session.arefresh_from_db()
    assert session.status == "charging"
    await stop(station, started["transactionId"])


async def test_a_command_ends_with_its_deadline_where_the_lane_is_never_free(plug_in, operator, k1):
    """The first is never answered, the second waits for its turn, the socket goes: both end."""
    station = await plug_in(answers={"ClearCache": None})
    await station.boot()
    first = await operator.start("ClearCache", {})
    await station.expect_call("ClearCache")
    second = await operator.start("GetLocalListVersion", {})
    await station.close()
    for command_id in (first, second):
        outcome = await operator.outcome(command_id)
        assert (outcome["status"], outcome["error"]["code"]) == ("failed", "disconnected")
    deadline = dt.datetime.fromisoformat(outcome["deadline_at"])
    asked = dt.datetime.fromisoformat(outcome["created_at"])
    assert deadline - asked == dt.timedelta(seconds=60)
