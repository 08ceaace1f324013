"""Raw commands: judged by their schema alone, sent to a station that is there, and followed."""

import json
import uuid

import pytest

from stations import commands
from stations.models import Command, Station
from stations.tests.cast import signed_in

PATH = "/ocpp/stations/K-1/commands"
RESET = {"action": "Reset", "payload": {"type": "Soft"}}


@pytest.fixture
def staff(olga):
    return signed_in(olga)


@pytest.mark.parametrize("path", [PATH, f"{PATH}/", "/ocpp/stations/k-1/commands"])
def test_a_command_is_queued_for_the_present_socket(staff, olga, online, path):
    answer = staff.post(path, RESET | {"reason": "it hangs"})
    assert answer.status_code == 202
    command = Command.objects.get()
    body = answer.json()
    at = {name: body.pop(name) for name in ("created_at", "deadline_at")}
    assert None not in at.values()
    assert body == {
        "id": str(command.pk),
        "station_id": "K-1",
        "action": "Reset",
        "status": "queued",
        "response": None,
        "error": None,
        "reason": "it hangs",
        "requested_by": str(olga.pk),
        "sent_at": None,
        "resolved_at": None,
    }
    assert (command.payload, command.fence, command.lane) == (
        {"type": "Soft"},
        online.fence,
        Command.Lane.ASKED,
    )


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_command_is_followed_to_its_answer(staff, online, slash):
    path = f"/ocpp/commands/{staff.post(PATH, RESET).json()['id']}{slash}"
    command = Command.objects.get()
    commands.mark_sent(command, online.fence)
    assert staff.get(path).json()["status"] == "sent"
    commands.resolve(command, Command.Status.ANSWERED, response={"status": "Accepted"})
    body = staff.get(path).json()
    assert (body["status"], body["response"], body["error"]) == (
        "answered",
        {"status": "Accepted"},
        None,
    )


def test_a_refusal_is_told_with_its_code(staff, online):
    command_id = staff.post(PATH, RESET).json()["id"]
    commands.resolve(
        Command.objects.get(pk=command_id),
        Command.Status.FAILED,
        error=commands.describe("NotSupported", "No reset here."),
    )
    body = staff.get(f"/ocpp/commands/{command_id}").json()
    assert (body["status"], body["response"]) == ("failed", None)
    assert body["error"] == {"code": "NotSupported", "description": "No reset here."}


def test_a_payload_is_not_shown_again(staff, online):
    asked = {
        "action": "ChangeConfiguration",
        "payload": {"key": "AuthorizationKey", "value": "a secret of theirs"},
    }
    answer = staff.post(PATH, asked)
    shown = staff.get(f"/ocpp/commands/{answer.json()['id']}")
    assert "secret" not in f"{answer.json()} {shown.json()}"


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("ClearCache", {}),
        ("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}),
        ("GetConfiguration", {"key": ["HeartbeatInterval"]}),
        ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 99}),
        ("UnlockConnector", {"connectorId": 42}),
        ("RemoteStartTransaction", {"idTag": "NOBODY"}),
        ("RemoteStopTransaction", {"transactionId": 4711}),
        ("DataTransfer", {"vendorId": "org.example", "data": "Öffne"}),
        ("ExtendedTriggerMessage", {"requestedMessage": "LogStatusNotification"}),
        ("GetInstalledCertificateIds", {"certificateType": "CentralSystemRootCertificate"}),
        ("DeleteCertificate", None),
    ],
)
def test_any_call_that_keeps_its_schema_goes_out(staff, online, action, payload):
    payload = (
        payload
        if payload is not None
        else {
            "certificateHashData": {
                "hashAlgorithm": "SHA256",
                "issuerNameHash": "a" * 64,
                "issuerKeyHash": "b" * 64,
                "serialNumber": "1",
            }
        }
    )
    answer = staff.post(PATH, {"action": action, "payload": payload})
    assert answer.status_code == 202, answer.json()
    assert Command.objects.get().payload == payload


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("Explode", {}),
        ("reset", {"type": "Soft"}),
        ("BootNotification", {"chargePointVendor": "A", "chargePointModel": "B"}),
        ("MeterValues", {"connectorId": 1, "meterValue": []}),
        ("ResetResponse", {"status": "Accepted"}),
        ("../v16/schemas/Reset", {}),
        ("Reset", {}),
        ("Reset", {"type": "Gentle"}),
        ("Reset", {"type": "Soft", "more": 1}),
        ("Reset", []),
        ("Reset", None),
        ("Reset", "Soft"),
        ("UnlockConnector", {"connectorId": "1"}),
        ("DataTransfer", {"vendorId": "x" * 256}),
    ],
)
def test_a_payload_that_breaks_its_schema_is_refused(staff, online, action, payload):
    answer = staff.post(PATH, {"action": action, "payload": payload})
    assert answer.status_code == 400
    assert answer.json()["code"] == "payload_invalid"
    assert not Command.objects.exists()


@pytest.mark.parametrize("vendor", ["a\0b", "\ud800"])
def test_characters_that_no_database_keeps_are_refused(staff, online, vendor):
    text = json.dumps({"action": "DataTransfer", "payload": {"vendorId": vendor}})
    answer = staff.post(PATH, text, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not Command.objects.exists()


@pytest.mark.parametrize("body", [{}, {"payload": {}}, {"action": None}, {"action": 7.5}, []])
def test_a_request_without_an_action_is_refused(staff, online, body):
    assert staff.post(PATH, body, format="json").status_code == 400
    assert not Command.objects.exists()


def test_a_station_that_is_away_gets_no_command(staff, station):
    answer = staff.post(PATH, RESET)
    assert (answer.status_code, answer.json()["code"]) == (409, "station_offline")
    assert not Command.objects.exists()


def test_the_payload_is_judged_before_the_socket(staff, station):
    assert staff.post(PATH, {"action": "Reset", "payload": {}}).status_code == 400


def test_a_station_out_of_sale_still_takes_commands(staff, online):
    Station.objects.filter(pk=online.pk).update(enabled=False)
    assert staff.post(PATH, RESET).status_code == 202


def test_a_repeated_request_with_one_key_sends_one_command(staff, online):
    header = {"HTTP_IDEMPOTENCY_KEY": "once"}
    first, again = (staff.post(PATH, RESET, **header) for _ in range(2))
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert Command.objects.count() == 1
    assert staff.post(PATH, RESET | {"payload": {"type": "Hard"}}, **header).status_code == 422


def test_unknown_stations_and_commands_are_not_found(staff):
    answer = staff.post("/ocpp/stations/S-9/commands", RESET)
    assert (answer.status_code, answer.json()["code"]) == (404, "station_not_found")
    answer = staff.get(f"/ocpp/commands/{uuid.uuid4()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "command_not_found")
    assert staff.get("/ocpp/commands/7").status_code == 404


def test_commands_are_for_staff(staff, online, alice):
    command_id = staff.post(PATH, RESET).json()["id"]
    driver, stranger = signed_in(alice), signed_in()
    assert driver.post(PATH, RESET).status_code == 403
    assert driver.get(f"/ocpp/commands/{command_id}").status_code == 403
    assert stranger.post(PATH, RESET).status_code == 401
    assert stranger.get(f"/ocpp/commands/{command_id}").status_code == 401
    assert Command.objects.count() == 1
