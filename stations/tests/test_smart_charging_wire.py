"""Smart Charging from outside: a raw station, and staff who send calls by the API.

The cases of a 1.6 central system: 056, 057, 059, 066, 067, and what goes wrong in them.
"""

import asyncio
import time

import pytest
from asgiref.sync import sync_to_async

from stations.models import InstalledProfile, Station
from stations.tests.cast import signed_in

SCHEDULE = {
    "chargingRateUnit": "A",
    "startSchedule": "2026-03-02T12:00:00Z",
    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.1}],
}
DEFAULT = {
    "chargingProfileId": 5,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": SCHEDULE,
}
SET = {"connectorId": 1, "csChargingProfiles": DEFAULT}
COMPOSITE = {"connectorId": 1, "duration": 300, "chargingRateUnit": "A"}
ANSWERED = {
    "status": "Accepted",
    "connectorId": 1,
    "scheduleStart": "2026-03-02T12:00:00Z",
    "chargingSchedule": {"duration": 300, **SCHEDULE},
}


@pytest.fixture
def send(k1, olga):
    """`await send(action, payload)` as staff do; returns the answer of the API."""
    Station.objects.filter(pk=k1.pk).update(is_provisioned=False)
    staff = signed_in(olga)

    async def post(action, payload):
        def call():
            said = {"action": action, "payload": payload}
            return staff.post("/ocpp/stations/K-1/commands", said, format="json")

        return await sync_to_async(call)()

    async def follow(action, payload, within_s=10):
        accepted = await post(action, payload)
        assert accepted.status_code == 202, accepted.json()
        path = f"/ocpp/commands/{accepted.json()['id']}"
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            row = (await sync_to_async(staff.get)(path)).json()
            if row["resolved_at"]:
                return row
            await asyncio.sleep(0.02)
        raise AssertionError(f"{action} did not end")

    post.follow = follow
    return post


async def states():
    return [(row.profile_id, row.state) async for row in InstalledProfile.objects.all()]


async def test_056_a_default_profile_goes_out_as_it_is(plug_in, send):
    station = await plug_in(answers={"SetChargingProfile": {"status": "Accepted"}})
    await station.boot()
    row = await send.follow("SetChargingProfile", SET)
    assert (row["status"], row["response"]) == ("answered", {"status": "Accepted"})
    assert await station.expect_call("SetChargingProfile") == SET
    assert await states() == [(5, "installed")]


async def test_057_a_profile_goes_to_a_running_transaction(plug_in, send):
    station = await plug_in(answers={"SetChargingProfile": {"status": "Accepted"}})
    await station.boot()
    started = await station.call(
        "StartTransaction",
        {"connectorId": 1, "idTag": "X", "meterStart": 0, "timestamp": "2026-03-02T12:00:00Z"},
    )
    profile = {
        **DEFAULT,
        "chargingProfilePurpose": "TxProfile",
        "transactionId": started["transactionId"],
    }
    row = await send.follow("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
    assert row["status"] == "answered"
    sent = await station.expect_call("SetChargingProfile")
    assert sent["csChargingProfiles"]["transactionId"] == started["transactionId"]


async def test_059_a_remote_start_carries_a_profile(plug_in, send):
    station = await plug_in()
    await station.boot()
    payload = {
        "connectorId": 1,
        "idTag": "X",
        "chargingProfile": {**DEFAULT, "chargingProfilePurpose": "TxProfile"},
    }
    row = await send.follow("RemoteStartTransaction", payload)
    assert row["response"] == {"status": "Accepted"}
    assert await station.expect_call("RemoteStartTransaction") == payload
    assert await states() == []


@pytest.mark.parametrize("answer", [ANSWERED, {"status": "Accepted"}, {"status": "Rejected"}])
async def test_066_a_composite_schedule_is_told_with_and_without_its_schedule(
    plug_in, send, answer
):
    station = await plug_in(answers={"GetCompositeSchedule": answer})
    await station.boot()
    row = await send.follow("GetCompositeSchedule", COMPOSITE)
    assert (row["status"], row["response"]) == ("answered", answer)
    assert await station.expect_call("GetCompositeSchedule") == COMPOSITE


@pytest.mark.parametrize("status", ["Accepted", "Unknown"])
async def test_067_a_cleared_profile_is_gone(plug_in, send, status):
    answers = {
        "SetChargingProfile": {"status": "Accepted"},
        "ClearChargingProfile": {"status": status},
    }
    station = await plug_in(answers=answers)
    await station.boot()
    await send.follow("SetChargingProfile", SET)
    row = await send.follow("ClearChargingProfile", {"id": 5})
    assert row["response"] == {"status": status}
    assert await states() == [(5, "cleared")]


@pytest.mark.parametrize(
    ("answer", "status", "state"),
    [
        ({"status": "Rejected"}, "answered", "refused"),
        ({"status": "NotSupported"}, "answered", "refused"),
        (["NotImplemented", ""], "failed", "refused"),
        ({"status": "Perhaps"}, "failed", "unknown"),
        ({}, "failed", "unknown"),
    ],
)
async def test_a_profile_that_is_not_accepted_is_not_installed(
    plug_in, send, answer, status, state
):
    station = await plug_in(answers={"SetChargingProfile": answer})
    await station.boot()
    row = await send.follow("SetChargingProfile", SET)
    assert row["status"] == status
    assert await states() == [(5, state)]


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "Accepted", "chargingSchedule": {"chargingRateUnit": "A"}},
        {**ANSWERED, "chargingSchedule": {**SCHEDULE, "chargingRateUnit": "kW"}},
        {"connectorId": 1},
    ],
)
async def test_a_schedule_that_breaks_its_schema_is_no_answer(plug_in, send, answer):
    station = await plug_in(answers={"GetCompositeSchedule": answer})
    await station.boot()
    row = await send.follow("GetCompositeSchedule", COMPOSITE)
    assert (row["status"], row["error"]["code"]) == ("failed", "invalid_response")


async def test_a_station_that_goes_leaves_it_unknown_what_it_holds(plug_in, send):
    station = await plug_in(answers={"SetChargingProfile": None})
    await station.boot()
    following = asyncio.create_task(send.follow("SetChargingProfile", SET))
    await station.expect_call("SetChargingProfile")
    await station.close()
    row = await following
    assert (row["status"], row["error"]["code"]) == ("failed", "disconnected")
    assert await states() == [(5, "unknown")]


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("SetChargingProfile", {"connectorId": 1}),
        ("SetChargingProfile", {**SET, "connectorId": "1"}),
        ("SetChargingProfile", {**SET, "csChargingProfiles": {**DEFAULT, "stackLevel": None}}),
        ("GetCompositeSchedule", {"connectorId": 1}),
        ("ClearChargingProfile", {"chargingProfilePurpose": "Other"}),
    ],
)
async def test_a_call_that_breaks_its_schema_does_not_go_out(plug_in, send, action, payload):
    station = await plug_in()
    await station.boot()
    assert (await send(action, payload)).status_code == 400
    assert action not in [name for name, _ in station.calls]
