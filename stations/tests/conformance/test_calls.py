"""What staff ask of a station: sent as it is, its answer kept as it came; and what is refused."""

import pytest

from .kit import KEY, booted, stamp

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
HASH = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "a1" * 32,
    "issuerKeyHash": "b2" * 32,
    "serialNumber": "01",
}
LATER = "2036-01-01T00:00:00Z"
PROFILE = {
    "chargingProfileId": 7,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.5}],
    },
}
SCHEDULE = {
    "status": "Accepted",
    "connectorId": 1,
    "scheduleStart": "2026-01-01T00:00:00Z",
    "chargingSchedule": PROFILE["chargingSchedule"],
}
RESERVATION = {"connectorId": 1, "expiryDate": LATER, "idTag": "TAG-001", "reservationId": 11}
FULL_LIST = {
    "listVersion": 1,
    "updateType": "Full",
    "localAuthorizationList": [{"idTag": "TAG-001", "idTagInfo": {"status": "Accepted"}}],
}
ONE_CHANGE = {
    "listVersion": 2,
    "updateType": "Differential",
    "localAuthorizationList": [{"idTag": "TAG-001"}],
}
LOG = {"remoteLocation": "https://example.org/logs"}
SIGNED_FIRMWARE = {
    "requestId": 5,
    "firmware": {
        "location": "https://example.org/firmware.bin",
        "retrieveDateTime": "2026-01-01T00:00:00Z",
        "signingCertificate": CERTIFICATE,
        "signature": "c2lnbmF0dXJl",
    },
}
UPDATE = {"location": "https://example.org/firmware.bin", "retrieveDate": "2026-01-01T00:00:00Z"}
MESSAGES = (
    "BootNotification",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "StatusNotification",
)


def said(status):
    return {"status": status}


ASKED = [
    ("013 hard reset", "Reset", {"type": "Hard"}, said("Accepted")),
    ("014 soft reset", "Reset", {"type": "Soft"}, said("Accepted")),
    ("014 reset refused", "Reset", {"type": "Soft"}, said("Rejected")),
    ("017 unlock", "UnlockConnector", {"connectorId": 1}, said("Unlocked")),
    ("019_1 all keys", "GetConfiguration", {}, {"configurationKey": [], "unknownKey": []}),
    (
        "019_2 one key",
        "GetConfiguration",
        {"key": ["SupportedFeatureProfiles"]},
        {
            "configurationKey": [
                {"key": "SupportedFeatureProfiles", "readonly": True, "value": "Core"}
            ]
        },
    ),
    (
        "021 change a key",
        "ChangeConfiguration",
        {"key": "MeterValueSampleInterval", "value": "20"},
        said("Accepted"),
    ),
    (
        "021 after a reboot",
        "ChangeConfiguration",
        {"key": "MeterValueSampleInterval", "value": "20"},
        said("RebootRequired"),
    ),
    (
        "026 remote start refused",
        "RemoteStartTransaction",
        {"idTag": "TAG-001", "connectorId": 1},
        said("Rejected"),
    ),
    ("028 remote stop refused", "RemoteStopTransaction", {"transactionId": 5}, said("Rejected")),
    ("030 unlock failed", "UnlockConnector", {"connectorId": 1}, said("UnlockFailed")),
    ("031 unknown connector", "UnlockConnector", {"connectorId": 99}, said("NotSupported")),
    (
        "040_1 unknown key",
        "ChangeConfiguration",
        {"key": "NoSuchKey", "value": "1"},
        said("NotSupported"),
    ),
    (
        "040_2 bad value",
        "ChangeConfiguration",
        {"key": "MeterValueSampleInterval", "value": "-1"},
        said("Rejected"),
    ),
    ("042_1 no lists here", "GetLocalListVersion", {}, {"listVersion": -1}),
    ("042_2 empty list", "GetLocalListVersion", {}, {"listVersion": 0}),
    ("043_1 no lists here", "SendLocalList", FULL_LIST, said("NotSupported")),
    ("043_3 failed", "SendLocalList", FULL_LIST, said("Failed")),
    ("043_2 other version", "SendLocalList", ONE_CHANGE, said("VersionMismatch")),
    ("043_4 full", "SendLocalList", FULL_LIST, said("Accepted")),
    ("043_5 differential", "SendLocalList", ONE_CHANGE, said("Accepted")),
    ("044 update firmware", "UpdateFirmware", UPDATE, {}),
    (
        "045_1 diagnostics",
        "GetDiagnostics",
        {"location": "ftp://example.org/up"},
        {"fileName": "diagnostics.log"},
    ),
    ("045_1 nothing to send", "GetDiagnostics", {"location": "ftp://example.org/up"}, {}),
    ("046 reserve", "ReserveNow", RESERVATION, said("Accepted")),
    ("048_1 faulted", "ReserveNow", RESERVATION, said("Faulted")),
    ("048_2 occupied", "ReserveNow", RESERVATION, said("Occupied")),
    ("048_3 unavailable", "ReserveNow", RESERVATION, said("Unavailable")),
    ("048_4 rejected", "ReserveNow", RESERVATION, said("Rejected")),
    ("049 whole station", "ReserveNow", RESERVATION | {"connectorId": 0}, said("Accepted")),
    ("053 with a group", "ReserveNow", RESERVATION | {"parentIdTag": "GROUP001"}, said("Accepted")),
    ("051 cancel", "CancelReservation", {"reservationId": 11}, said("Accepted")),
    ("052 cancel refused", "CancelReservation", {"reservationId": 11}, said("Rejected")),
    *(
        (f"054 {name}", "TriggerMessage", {"requestedMessage": name}, said("Accepted"))
        for name in MESSAGES
    ),
    ("055 refused", "TriggerMessage", {"requestedMessage": "MeterValues"}, said("Rejected")),
    (
        "056 default profile",
        "SetChargingProfile",
        {"connectorId": 0, "csChargingProfiles": PROFILE},
        said("Accepted"),
    ),
    (
        "056 profile refused",
        "SetChargingProfile",
        {"connectorId": 1, "csChargingProfiles": PROFILE},
        said("Rejected"),
    ),
    (
        "057 profile of a transaction",
        "SetChargingProfile",
        {
            "connectorId": 1,
            "csChargingProfiles": PROFILE
            | {"chargingProfilePurpose": "TxProfile", "transactionId": 5},
        },
        said("Accepted"),
    ),
    (
        "059 start with a profile",
        "RemoteStartTransaction",
        {
            "idTag": "TAG-001",
            "connectorId": 1,
            "chargingProfile": PROFILE | {"chargingProfilePurpose": "TxProfile"},
        },
        said("Accepted"),
    ),
    ("061 clear the cache", "ClearCache", {}, said("Accepted")),
    ("061 no cache", "ClearCache", {}, said("Rejected")),
    (
        "062 data transfer",
        "DataTransfer",
        {"vendorId": "org.example", "messageId": "m", "data": "d"},
        said("UnknownVendorId"),
    ),
    ("066 schedule", "GetCompositeSchedule", {"connectorId": 1, "duration": 300}, SCHEDULE),
    (
        "066 no schedule",
        "GetCompositeSchedule",
        {"connectorId": 9, "duration": 9},
        said("Rejected"),
    ),
    ("067 clear a profile", "ClearChargingProfile", {"id": 7}, said("Accepted")),
    ("067 unknown profile", "ClearChargingProfile", {"id": 8}, said("Unknown")),
    (
        "075_1 manufacturer's root",
        "InstallCertificate",
        {"certificateType": "ManufacturerRootCertificate", "certificate": CERTIFICATE},
        said("Accepted"),
    ),
    (
        "075_2 our root",
        "InstallCertificate",
        {"certificateType": "CentralSystemRootCertificate", "certificate": CERTIFICATE},
        said("Failed"),
    ),
    (
        "076 installed ones",
        "GetInstalledCertificateIds",
        {"certificateType": "CentralSystemRootCertificate"},
        {"status": "Accepted", "certificateHashData": [HASH]},
    ),
    ("076 delete", "DeleteCertificate", {"certificateHashData": HASH}, said("Accepted")),
    ("076 not found", "DeleteCertificate", {"certificateHashData": HASH}, said("NotFound")),
    ("077 refused", "CertificateSigned", {"certificateChain": CERTIFICATE}, said("Rejected")),
    (
        "079 security log",
        "GetLog",
        {"logType": "SecurityLog", "requestId": 1, "log": LOG},
        {"status": "Accepted", "filename": "security.log"},
    ),
    ("080 signed firmware", "SignedUpdateFirmware", SIGNED_FIRMWARE, said("Accepted")),
    ("081 bad certificate", "SignedUpdateFirmware", SIGNED_FIRMWARE, said("InvalidCertificate")),
    (
        "083 profile",
        "ChangeConfiguration",
        {"key": "SecurityProfile", "value": "2"},
        said("Accepted"),
    ),
    (
        "availability",
        "ChangeAvailability",
        {"connectorId": 1, "type": "Inoperative"},
        said("Scheduled"),
    ),
    (
        "extended trigger",
        "ExtendedTriggerMessage",
        {"requestedMessage": "LogStatusNotification"},
        said("NotImplemented"),
    ),
]


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [case[1:] for case in ASKED],
    ids=[case[0] for case in ASKED],
)
async def test_a_call_goes_out_as_it_is_and_its_answer_is_kept(
    central, point, station_id, action, payload, answer
):
    point.answers[action] = answer
    await booted(point)
    row = await central.carry_out(station_id, action, payload)
    assert await point.expect_call(action) == payload
    assert [name for name, _ in point.calls] == [action]
    assert (row["status"], row["error"]) == ("answered", None)
    assert row["response"] == answer


async def test_a_call_reaches_a_station_that_has_not_booted(central, point, station_id):
    point.answers["Reset"] = said("Accepted")
    row = await central.carry_out(station_id, "Reset", {"type": "Hard"})
    assert row["status"] == "answered"


BREACHES = [
    ("Reset", {}),
    ("Reset", {"type": "Warm"}),
    ("Reset", {"type": 5}),
    ("Reset", {"type": "Hard", "now": True}),
    ("Reset", []),
    ("UnlockConnector", {"connectorId": "1"}),
    ("GetConfiguration", {"key": "HeartbeatInterval"}),
    ("GetConfiguration", {"key": ["x" * 51]}),
    ("ChangeConfiguration", {"key": "HeartbeatInterval"}),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": 60}),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "x" * 501}),
    ("ChangeAvailability", {"connectorId": 1, "type": "Off"}),
    ("RemoteStartTransaction", {"connectorId": 1}),
    ("RemoteStartTransaction", {"idTag": "x" * 21}),
    ("RemoteStopTransaction", {"transactionId": "5"}),
    ("ReserveNow", {**RESERVATION, "reservationId": None}),
    ("CancelReservation", {}),
    ("SendLocalList", {"listVersion": 1, "updateType": "Partial"}),
    ("TriggerMessage", {"requestedMessage": "Authorize"}),
    ("SetChargingProfile", {"connectorId": 1}),
    ("GetCompositeSchedule", {"connectorId": 1, "duration": "long"}),
    ("ClearChargingProfile", {"chargingProfilePurpose": "None"}),
    ("UpdateFirmware", {"location": "ftp://example.org"}),
    ("GetDiagnostics", {"location": 1}),
    ("InstallCertificate", {"certificateType": "Root", "certificate": CERTIFICATE}),
    ("DeleteCertificate", {"certificateHashData": {}}),
    ("GetInstalledCertificateIds", {"certificateType": "Other"}),
    ("CertificateSigned", {}),
    ("GetLog", {"logType": "SecurityLog", "requestId": 1}),
    ("SignedUpdateFirmware", {"requestId": 1}),
    ("ExtendedTriggerMessage", {"requestedMessage": "Reset"}),
    ("DataTransfer", {"messageId": "m"}),
    ("ClearCache", {"all": True}),
    ("GetLocalListVersion", {"version": 1}),
    ("Fly", {}),
    ("", {}),
    ("BootNotification", {"chargePointVendor": "a", "chargePointModel": "b"}),
]


@pytest.mark.parametrize(("action", "payload"), BREACHES)
async def test_a_call_that_breaks_its_schema_is_never_sent(
    central, point, station_id, action, payload
):
    await point.boot()
    refused = await central.order(station_id, action, payload)
    assert refused.status_code == 400, refused.text
    point.answers["ClearCache"] = said("Accepted")
    assert (await central.carry_out(station_id, "ClearCache", {}))["status"] == "answered"
    assert [name for name, _ in point.calls] == ["ClearCache"]


BAD_ANSWERS = [
    ("Reset", {"type": "Hard"}, {}),
    ("Reset", {"type": "Hard"}, said("OK")),
    ("Reset", {"type": "Hard"}, said(True)),
    ("Reset", {"type": "Hard"}, {"status": "Accepted", "when": "now"}),
    ("UnlockConnector", {"connectorId": 1}, said("Accepted")),
    ("GetLocalListVersion", {}, {"listVersion": "1"}),
    ("GetConfiguration", {}, {"configurationKey": "all"}),
    ("ReserveNow", RESERVATION, said("Reserved")),
    ("GetLog", {"logType": "SecurityLog", "requestId": 1, "log": LOG}, {"filename": "a"}),
]


@pytest.mark.parametrize(("action", "payload", "answer"), BAD_ANSWERS)
async def test_an_answer_that_breaks_its_schema_says_nothing(
    central, point, station_id, action, payload, answer
):
    point.answers[action] = answer
    await point.boot()
    row = await central.carry_out(station_id, action, payload)
    assert (row["status"], row["error"]["code"]) == ("failed", "invalid_response")
    assert row["response"] is None
    assert (await point.boot())["status"] == "Accepted"


@pytest.mark.parametrize(
    "code", ["NotImplemented", "NotSupported", "InternalError", "GenericError", "Odd", ""]
)
async def test_a_callerror_fails_the_call_with_its_code(central, point, station_id, code):
    point.answers["ClearCache"] = [code, "no"]
    await point.boot()
    row = await central.carry_out(station_id, "ClearCache", {})
    assert (row["status"], row["error"]["code"]) == ("failed", code or "GenericError")


async def test_silence_ends_a_call_and_the_next_one_goes_out(central, point, station_id):
    point.answers |= {"ClearCache": None, "Reset": said("Accepted")}
    await booted(point)
    silent = await central.order(station_id, "ClearCache", {})
    behind = await central.order(station_id, "Reset", {"type": "Soft"})
    assert (await central.followed(silent.json()["id"]))["status"] == "timed_out"
    assert (await central.followed(behind.json()["id"]))["status"] == "answered"


async def test_a_late_answer_is_no_answer_to_the_next_call(central, point, station_id):
    point.answers |= {"ClearCache": None, "GetLocalListVersion": {"listVersion": 5}}
    await booted(point)
    assert (await central.carry_out(station_id, "ClearCache", {}))["status"] == "timed_out"
    await point.send_frame([3, point.call_ids[0], said("Accepted")])
    row = await central.carry_out(station_id, "GetLocalListVersion", {})
    assert row["response"] == {"listVersion": 5}


async def test_one_call_at_a_time(central, point, station_id):
    """The second goes out when the first has its answer (OCPP-J 1.6 §4.1.1)."""
    point.answers |= {"ClearCache": None, "Reset": said("Accepted")}
    await booted(point)
    await central.order(station_id, "ClearCache", {})
    await point.expect_call("ClearCache")
    behind = await central.order(station_id, "Reset", {"type": "Soft"})
    await point.call("Heartbeat", {})
    assert [name for name, _ in point.calls] == ["ClearCache"]
    await point.send_frame([3, point.call_ids[0], said("Accepted")])
    assert (await central.followed(behind.json()["id"]))["status"] == "answered"


async def test_no_call_to_a_station_that_is_not_there(central, station_id):
    refused = await central.order(station_id, "ClearCache", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "station_offline")
    assert (await central.order("NOBODY", "ClearCache", {})).status_code == 404


async def test_a_call_dies_with_its_socket(central, point, station_id):
    point.answers["ClearCache"] = None
    ordered = await central.order(station_id, "ClearCache", {})
    await point.expect_call("ClearCache")
    await point.drop()
    row = await central.followed(ordered.json()["id"])
    assert (row["status"], row["error"]["code"]) == ("failed", "disconnected")
    async with central.point(station_id) as again:
        await again.boot()
        assert again.calls == []


async def test_only_staff_may_ask(central, point, station_id):
    body = {"action": "ClearCache", "payload": {}}
    path = f"/ocpp/stations/{station_id}/commands"
    driver = f"Bearer {await central.new_driver()}"
    for authorization, status in ((driver, 403), ("", 401)):
        headers = {"Authorization": authorization}
        asked = await central.client.post(path, json=body, headers=headers)
        assert asked.status_code == status
    assert point.calls == []


async def test_a_new_key_counts_from_the_next_handshake(central, point, station_id):
    """TC_073: the answer Accepted makes it the key, and the old one is no longer good."""
    new_key = "AABBCCDDEEFF00112233445566778899AABBCCDD"
    await booted(point)
    change = {"key": "AuthorizationKey", "value": new_key}
    row = await central.carry_out(station_id, "ChangeConfiguration", change)
    assert row["response"] == said("Accepted")
    await point.close()
    async with central.point(station_id, key=new_key) as again:
        assert (await again.boot())["status"] == "Accepted"
    assert await central.refusal(station_id, key=KEY) == 401


async def test_a_key_that_the_station_refused_is_none(central, point, station_id):
    point.answers["ChangeConfiguration"] = said("Rejected")
    change = {"key": "AuthorizationKey", "value": "another key of the cases"}
    await central.carry_out(station_id, "ChangeConfiguration", change)
    assert await central.refusal(station_id, key="another key of the cases") == 401
    async with central.point(station_id) as again:
        assert (await again.boot())["status"] == "Accepted"


@pytest.mark.parametrize("moment", [stamp(), "yesterday"])
async def test_what_a_payload_means_is_the_stations_to_judge(central, point, station_id, moment):
    """The schema is all that is judged: a date is a text there."""
    point.answers["GetDiagnostics"] = {}
    payload = {"location": "ftp://example.org", "startTime": moment}
    answered = await central.order(station_id, "GetDiagnostics", payload)
    assert answered.status_code == 202
