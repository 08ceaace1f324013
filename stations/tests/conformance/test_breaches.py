"""What a station may not send: each call is answered, in the codes of OCPP-J 1.6 §4.2.3."""

import json

import pytest

from .kit import FREE_TAG, booted, charging, stamp, stop

NOW = stamp()
BOOT = {"chargePointVendor": "v", "chargePointModel": "m"}
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
START = {"connectorId": 1, "idTag": FREE_TAG, "meterStart": 0, "timestamp": NOW}
METER = {"connectorId": 1, "meterValue": [{"timestamp": NOW, "sampledValue": [{"value": "1"}]}]}
SIGN = {"csr": "csr"}
EVENT = {"type": "FirmwareUpdated", "timestamp": NOW}


def without(payload, key):
    return {name: value for name, value in payload.items() if name != key}


MISSING, TYPE, VALUE, SHAPE = (
    "ProtocolError",
    "TypeConstraintViolation",
    "PropertyConstraintViolation",
    "FormationViolation",
)
REQUIRED = [
    *(("BootNotification", without(BOOT, key), MISSING) for key in BOOT),
    *(("StatusNotification", without(STATUS, key), MISSING) for key in STATUS),
    *(("StartTransaction", without(START, key), MISSING) for key in START),
    *(("MeterValues", without(METER, key), MISSING) for key in METER),
    ("Authorize", {}, MISSING),
    ("DataTransfer", {"data": "d"}, MISSING),
    ("DiagnosticsStatusNotification", {}, MISSING),
    ("FirmwareStatusNotification", {}, MISSING),
    ("SecurityEventNotification", without(EVENT, "type"), MISSING),
    ("SecurityEventNotification", without(EVENT, "timestamp"), MISSING),
    ("SignCertificate", {}, MISSING),
    ("LogStatusNotification", {}, MISSING),
    ("SignedFirmwareStatusNotification", {"requestId": 1}, MISSING),
]
WRONG = [
    ("BootNotification", BOOT | {"chargePointVendor": "v" * 21}, TYPE),
    ("BootNotification", BOOT | {"chargePointModel": 5}, TYPE),
    ("BootNotification", BOOT | {"colour": "red"}, SHAPE),
    ("Heartbeat", {"now": True}, SHAPE),
    ("Authorize", {"idTag": "x" * 21}, TYPE),
    ("Authorize", {"idTag": 5}, TYPE),
    ("Authorize", {"idTag": None}, TYPE),
    ("StatusNotification", STATUS | {"status": "Broken"}, VALUE),
    ("StatusNotification", STATUS | {"errorCode": "Odd"}, VALUE),
    ("StatusNotification", STATUS | {"connectorId": "1"}, TYPE),
    ("StatusNotification", STATUS | {"info": "i" * 51}, TYPE),
    ("StartTransaction", START | {"meterStart": "0"}, TYPE),
    ("StartTransaction", START | {"meterStart": 1.5}, TYPE),
    ("StartTransaction", START | {"idTag": "x" * 21}, TYPE),
    ("StartTransaction", START | {"reservationId": "1"}, TYPE),
    ("MeterValues", METER | {"transactionId": "1"}, TYPE),
    ("MeterValues", METER | {"meterValue": {}}, TYPE),
    ("MeterValues", METER | {"extra": 1}, SHAPE),
    ("DataTransfer", {"vendorId": "v" * 256}, TYPE),
    ("DiagnosticsStatusNotification", {"status": "Done"}, VALUE),
    ("FirmwareStatusNotification", {"status": "Done"}, VALUE),
    ("SecurityEventNotification", EVENT | {"type": "t" * 51}, TYPE),
    ("SecurityEventNotification", EVENT | {"techInfo": "t" * 256}, TYPE),
    ("LogStatusNotification", {"status": "Done", "requestId": 1}, VALUE),
    ("SignedFirmwareStatusNotification", {"status": "Done", "requestId": 1}, VALUE),
]
FOREIGN = ["Reset", "RemoteStartTransaction", "GetConfiguration", "CertificateSigned", "GetLog"]


@pytest.mark.parametrize(("action", "payload", "code"), REQUIRED + WRONG)
async def test_a_call_that_breaks_its_schema_is_refused(point, action, payload, code):
    answer = await point.ask(action, payload)
    assert answer[0] == 4, answer
    assert answer[2] == code
    assert isinstance(answer[3], str)
    assert answer[4] == {}
    assert (await point.boot())["status"] == "Accepted"


@pytest.mark.parametrize("action", FOREIGN)
async def test_a_call_of_the_central_system_is_not_supported(point, action):
    assert (await point.ask(action, {}))[2] == "NotSupported"


@pytest.mark.parametrize("action", ["Fly", "bootnotification", "StatusNotificationResponse", ""])
async def test_an_unknown_call_is_not_implemented(point, action):
    assert (await point.ask(action, {}))[2] == "NotImplemented"


@pytest.mark.parametrize(
    "timestamp", ["yesterday", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "", "12:00"]
)
@pytest.mark.parametrize(
    ("action", "payload"), [("StartTransaction", START), ("StatusNotification", STATUS)]
)
async def test_a_time_that_is_none_is_refused(point, action, payload, timestamp):
    answer = await point.ask(action, payload | {"timestamp": timestamp})
    assert answer[2] == VALUE


@pytest.mark.parametrize("connector_id", [-1, 2**31])
async def test_a_connector_that_cannot_be_is_refused(point, connector_id):
    for action, payload in (("StartTransaction", START), ("StatusNotification", STATUS)):
        assert (await point.ask(action, payload | {"connectorId": connector_id}))[0] == 4


STOPS = [
    {},
    {"transactionId": "x", "meterStop": 5, "timestamp": NOW},
    {"transactionId": 1, "meterStop": "much", "timestamp": NOW},
    {"transactionId": 1, "meterStop": 5, "timestamp": "never"},
    {"transactionId": 1, "meterStop": 5, "timestamp": NOW, "reason": "Boredom"},
    {"transactionId": 1, "meterStop": 5, "timestamp": NOW, "transactionData": 5},
    {"transactionId": 1, "meterStop": 5, "timestamp": NOW, "idTag": "x" * 30},
]


@pytest.mark.parametrize("payload", STOPS)
async def test_a_stop_is_confirmed_whatever_it_says(point, payload):
    """A station that is refused here sends it again for ever."""
    assert (await point.ask("StopTransaction", payload))[0] == 3


async def test_a_broken_start_is_kept_and_a_good_one_follows(central, point, station_id):
    await booted(point)
    assert (await point.ask("StartTransaction", without(START, "meterStart")))[2] == MISSING
    transaction_id = await charging(point)
    await stop(point, transaction_id)
    session = await central.session_of(transaction_id, station_id)
    assert session["status"] == "completed"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "null",
        "[]",
        "{}",
        "[2]",
        '["2","x","Heartbeat",{}]',
        '[2,5,"Heartbeat",{}]',
        '[2,"","Heartbeat",{}]',
        json.dumps([2, "x" * 37, "Heartbeat", {}]),
        '[3,"x",{}]',
        '[4,"x","GenericError","",{}]',
        '[9,"x",{}]',
    ],
)
async def test_what_is_no_call_is_ignored(point, text):
    """Nothing comes back, and the next call is answered."""
    await point.send_text(text)
    await point.call("Heartbeat", {})
    assert len(point.frames) == 1


async def test_binary_is_ignored(point):
    await point.socket.send(b'[2,"b","Heartbeat",{}]')
    await point.call("Heartbeat", {})
    assert len(point.frames) == 1
